"""Transform jobs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from jobs.commands.transform import delete_model
from jobs.storage.s3 import S3Uri
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs, saved_model


def test_only_the_images_of_a_folder_are_uploaded_and_transformed(aws, pictures, tmp_path):
    (pictures / "info.csv").write_text("ImageID,ans\n")
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--data", str(pictures))
    assert run_jobs("transform", *flags, "--job_name", "t-1") == 0
    job = aws("sagemaker").describe_transform_job(TransformJobName="t-1")
    assert job["BatchStrategy"] == "SingleRecord" and job["ModelName"] == "t-1"
    url = aws("sagemaker").describe_model(ModelName="t-1")["PrimaryContainer"]["ModelDataUrl"]
    assert S3Uri.parse(url).key in keys("rarebird/t-1/model/")
    uploaded = keys(S3Uri.parse(job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]).key)
    assert len(uploaded) == 5 and not any(key.endswith(".csv") for key in uploaded)


@pytest.mark.parametrize("waits", [True, False])
def test_the_model_of_an_ended_transform_is_deleted(waits, aws, tmp_path):
    aws("s3").put_object(Bucket=BUCKET, Key="rarebird/t-1/transform/1.jpg.out", Body=b"{}")
    flags = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--data", f"s3://{BUCKET}/e")
    assert run_jobs("transform", *flags, "--job_name", "t-1", *(["--wait"] if waits else [])) == 0
    if not waits:
        assert len(aws("sagemaker").list_models()["Models"]) == 1
        assert run_jobs("fetch", "t-1") == 0
    assert aws("sagemaker").list_models()["Models"] == []
    assert Path("results/t-1/transform/1.jpg.out").is_file()
    assert run_jobs("fetch", "t-1") == 0  # again, without the model


@pytest.mark.parametrize(
    ("description", "is_deleted"),
    [
        ({"TransformJobStatus": "Completed", "TransformJobName": "t-1", "ModelName": "t-1"}, True),
        ({"TransformJobStatus": "Failed", "TransformJobName": "t-1", "ModelName": "t-1"}, True),
        ({"TransformJobStatus": "InProgress", "TransformJobName": "t-1", "ModelName": "t-1"}, False),
        ({"TransformJobStatus": "Completed", "TransformJobName": "t-2", "ModelName": "t-1"}, False),
        ({}, False),  # after Ctrl-C
    ],
)
def test_only_the_model_of_this_transform_is_deleted_and_only_after_its_end(description, is_deleted, stubbed, capsys):
    clients, sagemaker, _ = stubbed
    if is_deleted:
        sagemaker.add_response("delete_model", {}, {"ModelName": "t-1"})
    delete_model(clients, description)
    sagemaker.assert_no_pending_responses()
    assert capsys.readouterr().out == ""  # a call without a queued answer would print a warning


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--data s3://b/e --max_payload_mb 50 --concurrent 4", "MaxConcurrentTransforms (--concurrent)"),
        ("", "--data is missing"),
        ("--data nowhere", "--data nowhere: no such folder"),
        ("--data s3://b/e --accept 'a\tb' --job_name a_b", "TransformJobName (--job_name)"),
    ],
)
def test_invalid_transform_flags_are_errors(flags, message, dry_run):
    code, out, err = dry_run("transform", "--model_dir", "s3://b/m/model.tar.gz", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert message in err
