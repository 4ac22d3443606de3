"""Mirroring a prefix in S3 to a local folder."""

from __future__ import annotations

import boto3
import pytest

import jobs.storage.mirror
from jobs.storage.mirror import mirror_folder, mirror_path
from jobs.storage.s3 import S3Uri, download_file
from tests.jobs.conftest import BUCKET


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    for name in ("a/1.jpg", "a/2.jpg", "b.csv"):
        client.put_object(Bucket=BUCKET, Key=f"in/{name}", Body=name.encode())
    return client


def mirrored(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_only_changed_objects_are_downloaded_and_other_files_removed(s3, tmp_path):
    uri, folder = S3Uri(BUCKET, "in"), tmp_path / "in"
    assert mirror_folder(s3, uri, folder) == (3, 3)
    assert mirror_folder(s3, uri, folder) == (3, 0)
    s3.put_object(Bucket=BUCKET, Key="in/a/1.jpg", Body=b"A/1.JPG")  # the same size
    s3.delete_object(Bucket=BUCKET, Key="in/b.csv")
    (folder / "a" / "2.jpg").write_text("changed here")
    (folder / "extra.jpg").write_text("not in S3")
    assert mirror_folder(s3, uri, folder) == (2, 2)
    assert mirrored(folder) == {"a/1.jpg": "A/1.JPG", "a/2.jpg": "a/2.jpg"}


def test_an_interrupted_download_resumes(s3, tmp_path, monkeypatch):
    uri, folder = S3Uri(BUCKET, "in"), tmp_path / "in"

    def interrupted(client, source, path):
        if source.key.endswith("2.jpg"):
            raise KeyboardInterrupt
        download_file(client, source, path)

    with monkeypatch.context() as patched:
        patched.setattr(jobs.storage.mirror, "download_file", interrupted)
        patched.setattr(jobs.storage.mirror, "THREADS", 1)
        with pytest.raises(KeyboardInterrupt):
            mirror_folder(s3, uri, folder)
    done = len(mirrored(folder))
    assert 1 <= done < 3
    assert mirror_folder(s3, uri, folder) == (3, 3 - done)


def test_a_single_object_is_mirrored_as_a_folder_with_one_file(s3, tmp_path):
    folder = tmp_path / "b"
    assert mirror_folder(s3, S3Uri(BUCKET, "in/b.csv"), folder) == (1, 1)
    assert mirrored(folder) == {"b.csv": "b.csv"}
    assert mirror_folder(s3, S3Uri(BUCKET, "nothing"), tmp_path / "c") == (0, 0)


def test_each_uri_has_its_own_folder(tmp_path):
    uris = [S3Uri("b", key) for key in ("", "x/train", "y/train", "x/train2")]
    folders = [mirror_path(tmp_path, uri) for uri in (*uris, S3Uri("c", "x/train"))]
    assert len(set(folders)) == 5
    assert mirror_path(tmp_path, S3Uri("b", "x/train/")) == folders[1]
    assert folders[1].name.startswith("train-") and folders[0].name.startswith("b-")
