"""Uploads to prefixes named after their content, on a moto server."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest

from jobs.spec.inputs import Input
from jobs.spec.job import Account
from jobs.storage import upload
from jobs.storage.local_files import local_files
from jobs.storage.planned_uploads import plan_upload, plan_uploads
from jobs.storage.s3 import S3Uri
from model.errors import Failure, InputError
from tests.jobs.conftest import BUCKET, ROLE, keys, run_jobs

ACCOUNT = Account(ROLE, bucket=BUCKET)


def send(planned: Any, s3: Any, delete: bool = False) -> Any:
    return planned.send(s3, None, delete, lambda _: None)


def test_users_with_the_same_path_do_not_replace_each_others_data(aws, pictures, tmp_path):
    """All users of Studio have the same path /home/sagemaker-user/data/train."""
    s3 = aws("s3")
    first = plan_upload("train", str(pictures), ACCOUNT)
    assert send(first, s3).files == 5
    before = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys()}
    for name in ("a.jpg", "a/1.jpg"):
        (pictures / name).write_bytes(b"of another user")
    second = plan_upload("train", str(pictures), ACCOUNT)
    assert second.uri != first.uri
    summary = send(second, s3)
    assert (summary.files, summary.copied, summary.same) == (2, 3, 0)  # unchanged files are copied within S3
    assert {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in before} == before
    root = S3Uri.parse(second.uri).key
    assert s3.get_object(Bucket=BUCKET, Key=f"{root}a/2.jpg")["Body"].read() == (pictures / "a" / "2.jpg").read_bytes()
    shutil.copytree(pictures, tmp_path / "copy")
    third = plan_upload("train", str(tmp_path / "copy"), ACCOUNT)
    assert third.uri == second.uri and send(third, s3).same == 5  # the same content is not uploaded again


def test_unchanged_files_encrypted_with_kms_are_copied_by_the_md5_in_the_metadata(aws, pictures, monkeypatch):
    s3, account, real = aws("s3"), replace(ACCOUNT, kms_key="alias/mine"), upload.list_objects

    def without_md5(client: Any, prefix: Any) -> Any:
        return (replace(item, etag="f" * 32) for item in real(client, prefix))

    monkeypatch.setattr("jobs.storage.upload.list_objects", without_md5)
    plan_upload("train", str(pictures), account).send(s3, account.kms_key, False, lambda _: None)
    (pictures / "a.jpg").write_bytes(b"changed")
    changed = plan_upload("train", str(pictures), account)
    summary = changed.send(s3, account.kms_key, False, lambda _: None)
    assert (summary.files, summary.copied) == (1, 4)
    for key in keys(S3Uri.parse(changed.uri).key):
        assert s3.head_object(Bucket=BUCKET, Key=key)["SSEKMSKeyId"].endswith("alias/mine")


def test_an_interrupted_upload_resumes(aws, pictures, monkeypatch):
    s3, real = aws("s3"), aws("s3").put_object
    done: list[str] = []

    def stop_after_two(**request: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(request["Key"])
        return real(**request)

    monkeypatch.setattr(s3, "put_object", stop_after_two)
    monkeypatch.setattr(upload, "THREADS", 1)
    with pytest.raises(KeyboardInterrupt):
        send(plan_upload("train", str(pictures), ACCOUNT), s3)
    summary = send(plan_upload("train", str(pictures), ACCOUNT), aws("s3"))
    assert (summary.files, summary.same) == (3, 2)


@pytest.mark.parametrize("change", ["other", "new", "gone", "same size"])
def test_a_folder_that_changes_during_the_upload_is_an_error(change, aws, pictures):
    planned = plan_upload("train", str(pictures), ACCOUNT)
    path = pictures / ("b/착용 3.jpg" if change != "new" else "c.jpg")
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(b"x" * (path.stat().st_size if change == "same size" else 7))
    with pytest.raises(Failure, match="run the same command again"):
        send(planned, aws("s3"))
    assert not any(key.endswith("c.jpg") for key in keys())  # only in the prefix of another content
    assert send(plan_upload("train", str(pictures), ACCOUNT), aws("s3")).count == len(list(local_files(pictures)))


def test_other_objects_at_the_prefix_are_an_error(aws, pictures):
    s3, planned = aws("s3"), plan_upload("train", str(pictures), ACCOUNT)
    s3.put_object(Bucket=BUCKET, Key=f"{S3Uri.parse(planned.uri).key}extra.jpg", Body=b"x")
    with pytest.raises(InputError, match=r"1 objects are not in .*: extra\.jpg; delete them with --delete"):
        send(planned, s3)
    assert send(planned, s3, delete=True).deleted == 1


def test_a_generated_file_is_uploaded_to_a_prefix_of_its_content(aws, tmp_path):
    inputs = [Input("config", "config.yaml", content={"epochs": 3}), Input("train", "s3://b/t")]
    (planned,) = plan_uploads(inputs, ACCOUNT)
    assert planned.uri.startswith(f"s3://{BUCKET}/rarebird/data/123456789012/")
    send(planned, aws("s3"))
    (key,) = keys()
    assert key.endswith("/config.yaml")
    assert aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"epochs: 3\n"
    others = (replace(inputs[0], content={"epochs": 4}), inputs[0])
    uris = {each.uri for account in (ACCOUNT, replace(ACCOUNT, kms_key="k")) for each in plan_uploads(others, account)}
    assert len(uris) == 4


def test_upload_and_train_use_the_same_prefix(aws, pictures, capsys, dry_run):
    assert run_jobs("upload", str(pictures), "--bucket", BUCKET, "--role", ROLE) == 0
    out = capsys.readouterr().out
    uri = out.split(": ")[0]
    assert "5 files uploaded" in out and len(keys(S3Uri.parse(uri).key)) == 5
    assert f'"{uri}"' in dry_run("train", "--data", str(pictures))[1]
