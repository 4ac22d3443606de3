"""Uploads of folders, on a moto server."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from jobs.storage.etag import PART_BYTES, etag_and_md5
from jobs.storage.s3 import S3Uri, list_objects
from jobs.storage.upload import upload_folder
from model.errors import Failure, InputError
from tests.jobs.conftest import BUCKET, keys


def test_only_changes_are_uploaded(aws, pictures):
    uri, s3 = S3Uri.parse(f"s3://{BUCKET}/up"), aws("s3")
    assert upload_folder(s3, pictures, uri).files == 5
    assert keys("up/") == ["up/a-b.jpg", "up/a.jpg", "up/a/1.jpg", "up/a/2.jpg", "up/b/착용 3.jpg"]
    second = upload_folder(s3, pictures, uri)
    assert (second.files, second.same) == (0, 5)
    (pictures / "a" / "1.jpg").write_bytes(b"x" * (pictures / "a" / "1.jpg").stat().st_size)  # the same size
    (pictures / "a" / "0.jpg").write_bytes(b"new")
    third = upload_folder(s3, pictures, uri)
    assert (third.files, third.same) == (2, 4)
    (pictures / "a" / "2.jpg").unlink()
    with pytest.raises(InputError, match=r"1 objects are not in .*: a/2\.jpg; delete them with --delete"):
        upload_folder(s3, pictures, uri)
    assert upload_folder(s3, pictures, uri, delete=True).deleted == 1
    assert "up/a/2.jpg" not in keys("up/")


def test_objects_that_cannot_be_deleted_are_a_failure(aws, pictures, monkeypatch):
    from botocore.exceptions import ClientError

    uri, s3 = S3Uri.parse(f"s3://{BUCKET}/up"), aws("s3")
    upload_folder(s3, pictures, uri)
    (pictures / "a.jpg").unlink()
    answer = {"Errors": [{"Key": "up/a.jpg", "Code": "AccessDenied", "Message": "Access Denied"}]}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: answer)
    with pytest.raises(Failure, match=r"1 of 1 objects could not be deleted: a\.jpg \(AccessDenied: Access Denied\)"):
        upload_folder(s3, pictures, uri, delete=True)

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "s3:DeleteObject"}}, "DeleteObjects")

    monkeypatch.setattr(s3, "delete_objects", denied)
    with pytest.raises(InputError, match="access denied: s3:DeleteObject"):
        upload_folder(s3, pictures, uri, delete=True)


def test_a_large_file_is_uploaded_in_parts_and_only_once(aws, tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "shard.tar").write_bytes(os.urandom(1 << 20) * (PART_BYTES // (1 << 20) * 2 + 1))
    s3, uri = aws("s3"), S3Uri.parse(f"s3://{BUCKET}/large")
    assert upload_folder(s3, folder, uri).files == 1
    head = s3.head_object(Bucket=BUCKET, Key="large/shard.tar")
    assert head["ETag"].strip('"') == etag_and_md5(folder / "shard.tar")[0]
    assert upload_folder(s3, folder, uri).same == 1


def test_files_encrypted_with_kms_are_compared_by_the_md5_in_the_metadata(aws, pictures, monkeypatch):
    s3, uri = aws("s3"), S3Uri.parse(f"s3://{BUCKET}/kms")
    upload_folder(s3, pictures, uri, kms_key="alias/mine")
    real = list_objects

    def without_md5(client: Any, prefix: Any) -> Any:
        return (replace(item, etag="f" * 32) for item in real(client, prefix))

    monkeypatch.setattr("jobs.storage.upload.list_objects", without_md5)
    assert upload_folder(s3, pictures, uri, kms_key="alias/mine").same == 5


def test_a_missing_bucket_and_an_empty_folder_are_errors(aws, pictures, tmp_path):
    with pytest.raises(InputError, match="no bucket no-such-bucket"):
        upload_folder(aws("s3"), pictures, S3Uri.parse("s3://no-such-bucket/x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no files to upload"):
        upload_folder(aws("s3"), tmp_path / "empty", S3Uri.parse(f"s3://{BUCKET}/x"))
