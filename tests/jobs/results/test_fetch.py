"""Downloading and verifying the results of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PROCESSING, TRAINING, TUNING
from jobs.results.fetch import fetch, unpack_model
from jobs.spec.results_folder import ResultsFolder
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import upload_folder
from model.artifacts.archive import pack
from model.artifacts.verify import verify
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model, write_training_results


def test_an_unpacked_model_is_described(tmp_path):
    pack(saved_model(tmp_path / "made"), tmp_path / "model.tar.gz")
    assert unpack_model(ResultsFolder(tmp_path)) == f"model: {tmp_path / 'model'} (resnet10t, 2 classes)"
    (tmp_path / "model" / "metrics.json").write_text('{"finished": false}')
    assert str(verify(tmp_path / "model")).endswith("training was stopped early")


def test_a_denied_best_training_is_an_error(tmp_path):
    from botocore.exceptions import ClientError

    class Refusing:
        class sagemaker:
            @staticmethod
            def describe_training_job(**_: Any) -> None:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeTrainingJob")

    description = {"BestTrainingJob": {"TrainingJobName": "best-1"}}
    with pytest.raises(InputError, match="training best-1: access denied"):
        fetch(Refusing, TUNING, description, ResultsFolder(tmp_path / "r"), print)  # type: ignore[arg-type]


def test_an_invalid_model_is_a_failure(aws, tmp_path, capsys):
    model = saved_model(tmp_path / "made")
    (model / "labels.json").unlink()
    write_training_results("exp-3", tmp_path, model=model)
    flags = ("--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-3", "--wait")
    assert run_jobs("train", *ACCOUNT, *flags) == 1
    assert "labels.json" in capsys.readouterr().err


def test_an_uncompressed_model_is_fetched(aws, tmp_path):
    class Uncompressed:
        s3 = boto3.client("s3")
        sagemaker = None

    upload_folder(Uncompressed.s3, saved_model(tmp_path / "made"), S3Uri.parse(f"s3://{BUCKET}/j/output/model/"))
    description = {"ModelArtifacts": {"S3ModelArtifacts": f"s3://{BUCKET}/j/output/model/"}}
    lines: list[str] = []
    fetch(Uncompressed, TRAINING, description, ResultsFolder(tmp_path / "r"), lines.append)  # type: ignore[arg-type]
    assert "2 classes" in lines[-1]


def test_a_job_without_results_is_an_error(aws, pictures, capsys):
    model = ("--model_dir", f"s3://{BUCKET}/m/model.tar.gz")
    for name in ("inference", "transform"):
        backend = ("--on", "sagemaker") if name == "inference" else ()
        flags = (*ACCOUNT, *backend, "--data", str(pictures), *model, "--job_name", f"empty-{name}")
        assert run_jobs(name, *flags) == 0
        assert run_jobs("fetch", f"empty-{name}") == 2
        assert "the job wrote no results" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "files"), [("Completed", ["output/output.csv"]), ("Stopped", ["parts/algo-1/a/x"])])
def test_parts_of_an_inference_are_fetched_only_if_it_is_not_completed(aws, tmp_path, status, files):
    uris = {name: f"s3://{BUCKET}/i-1/{name}" for name in ("output", "parts")}
    keys = {"Completed": ["output/output.csv", "parts/algo-1/a/x"], "Stopped": ["parts/algo-1/a/x"], "Failed": []}
    outputs = [{"OutputName": name, "S3Output": {"S3Uri": uri}} for name, uri in uris.items()]
    job = {"ProcessingJobName": "i-1", "ProcessingOutputConfig": {"Outputs": outputs}}
    with pytest.raises(InputError, match="i-1: the job wrote no results"):
        fetch(
            Clients("eu-west-1"), PROCESSING, {**job, "ProcessingJobStatus": "Failed"}, ResultsFolder(tmp_path), print
        )
    for key in keys[status]:
        aws("s3").put_object(Bucket=BUCKET, Key=f"i-1/{key}", Body=b"x")
    results = ResultsFolder(tmp_path / "r")
    fetch(Clients("eu-west-1"), PROCESSING, {**job, "ProcessingJobStatus": status}, results, print)
    assert [path.relative_to(results.path).as_posix() for path in results.path.rglob("*") if path.is_file()] == files


def test_a_model_is_fetched_even_if_the_other_output_is_invalid(aws, tmp_path, capsys):
    write_training_results("exp-4", tmp_path, model=saved_model(tmp_path / "made"))
    aws("s3").put_object(Bucket=BUCKET, Key="rarebird/exp-4/output/output.tar.gz", Body=b"no archive")
    flags = ("--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-4", "--wait")
    assert run_jobs("train", *ACCOUNT, *flags) == 2
    captured = capsys.readouterr()
    assert "model: results/exp-4/model (resnet10t, 2 classes)" in captured.out and "output.tar.gz" in captured.err
    assert Path("results/exp-4/model/model.safetensors").is_file()
