"""S3 URIs and downloads, on a moto server."""

from __future__ import annotations

import pytest

from jobs.storage.s3 import S3Uri, download_file, download_folder, list_objects, object_exists
from model.errors import InputError
from tests.jobs.conftest import BUCKET


def test_a_changed_object_of_the_same_size_is_downloaded_again(aws, tmp_path, monkeypatch):
    s3, uri, down = aws("s3"), S3Uri.parse(f"s3://{BUCKET}/w"), tmp_path / "down"
    for weights in (b"old", b"new"):
        for name in ("changing", "staying"):
            s3.put_object(Bucket=BUCKET, Key=f"w/{name}", Body=weights if name == "changing" else b"x")
        assert download_folder(s3, uri, down) == 2
        assert (down / "changing").read_bytes() == weights
    monkeypatch.setattr("jobs.storage.s3.download_file", lambda *_: pytest.fail("it is there already"))
    assert download_folder(s3, uri, down) == 2


def test_keys_that_point_outside_the_folder_are_errors(aws, tmp_path):
    s3 = aws("s3")
    for key in ("p/good", "p/../../evil", "p//etc/evil"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    with pytest.raises(InputError, match="nothing was downloaded"):
        download_folder(s3, S3Uri.parse(f"s3://{BUCKET}/p"), tmp_path / "down")
    assert not (tmp_path / "down").exists() and not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("text", "bucket", "key", "folder"),
    [("s3://b/p/q", "b", "p/q", "s3://b/p/q/"), ("s3://b/p/", "b", "p/", "s3://b/p/"), ("s3://b/", "b", "", "s3://b/")],
)
def test_a_uri_is_a_bucket_and_a_key(text, bucket, key, folder):
    uri = S3Uri.parse(text)
    assert (uri.bucket, uri.key, str(uri.folder), str(uri)) == (bucket, key, folder, text)


@pytest.mark.parametrize("text", ["http://x", "s3://", "s3:///key", "folder"])
def test_other_texts_are_not_uris(text):
    with pytest.raises(InputError, match="expected s3://BUCKET/PREFIX"):
        S3Uri.parse(text)


def test_one_object_is_downloaded_as_a_file(aws, tmp_path):
    s3 = aws("s3")
    for key in ("w/model.pth", "w/model.pth.sig"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert object_exists(s3, S3Uri(BUCKET, "w/model.pth")) and not object_exists(s3, S3Uri(BUCKET, "w/model"))
    assert download_folder(s3, S3Uri(BUCKET, "w/model.pth"), tmp_path / "down") == 1
    assert [path.name for path in (tmp_path / "down").iterdir()] == ["model.pth"]


def test_a_missing_object_or_bucket_is_an_error(aws, tmp_path):
    with pytest.raises(InputError, match="no such object"):
        download_file(aws("s3"), S3Uri(BUCKET, "nothing"), tmp_path / "file")
    assert not (tmp_path / "file").exists()
    with pytest.raises(InputError, match="no bucket nowhere"):
        list(list_objects(aws("s3"), S3Uri("nowhere", "x")))
