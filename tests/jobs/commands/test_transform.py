"""Transform jobs."""

from __future__ import annotations

import shlex

import pytest

from jobs.storage.s3 import S3Uri
from tests.jobs.conftest import ACCOUNT, keys, run_jobs, saved_model


def test_a_folders_pictures_are_uploaded_and_transformed(aws, pictures, tmp_path):
    (pictures / "info.csv").write_text("ImageID,ans\n")
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--data", str(pictures))
    assert run_jobs("transform", *flags, "--job_name", "t-1") == 0
    job = aws("sagemaker").describe_transform_job(TransformJobName="t-1")
    assert job["BatchStrategy"] == "SingleRecord" and job["ModelName"] == "t-1"
    url = aws("sagemaker").describe_model(ModelName="t-1")["PrimaryContainer"]["ModelDataUrl"]
    assert S3Uri.parse(url).key in keys("rarebird/t-1/model/")
    uploaded = keys(S3Uri.parse(job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]).key)
    assert len(uploaded) == 5 and not any(key.endswith(".csv") for key in uploaded)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--data s3://b/e --max_payload_mb 50 --concurrent 4", "MaxConcurrentTransforms (--concurrent)"),
        ("", "--data: name the pictures'"),
        ("--data nowhere", "--data nowhere: there is no such folder"),
        ("--data s3://b/e --accept 'a\tb' --job_name a_b", "TransformJobName (--job_name)"),
    ],
)
def test_wrong_transforms_are_refused(flags, message, dry_run):
    code, out, err = dry_run("transform", "--model_dir", "s3://b/m/model.tar.gz", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert message in err
