"""Writing the answers of a batch transform as predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs.aws.clients import Clients
from jobs.results.transform_answers import model_uri, run_model
from jobs.spec.record import JobRecord
from jobs.spec.results_folder import ResultsFolder
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import upload_folder
from model.errors import Failure
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model

MODEL = f"s3://{BUCKET}/m/model/"


@pytest.fixture
def transformed(aws, pictures, tmp_path) -> None:
    """A transform t-1 with two answers and its model, all in S3."""
    upload_folder(boto3.client("s3"), saved_model(tmp_path / "model"), S3Uri.parse(MODEL))
    flags = (*ACCOUNT, "--model_dir", MODEL, "--data", str(pictures), "--job_name", "t-1")
    assert run_jobs("transform", *flags) == 0
    for name in ("a/1.jpg", "b.jpg"):
        key = f"rarebird/t-1/transform/{name}.out"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b'{"probabilities": [0.5, 0.5]}')


def test_fetched_answers_are_written_as_predictions(transformed, monkeypatch, capsys):
    ran: list[Any] = []

    def run(*command: str, print_line: Any) -> None:
        ran.append((command, Path(command[3], "labels.json").is_file()))
        print_line("2 predictions: output.csv")

    monkeypatch.setattr("jobs.results.transform_answers.run_model", run)
    assert run_jobs("fetch", "t-1") == 0
    (command, has_model), *others = ran
    folder = Path("results/t-1").resolve()
    assert command[:3] == ("transform", str(folder / "transform"), "--model_dir") and not others
    assert command[4:] == ("--output", str(folder / "output" / "output.csv")) and has_model
    assert sorted(path.name for path in folder.rglob("*.out")) == ["1.jpg.out", "b.jpg.out"]
    assert "answers: 2 files in results/t-1/transform\n2 predictions: output.csv" in capsys.readouterr().out


def test_without_the_model_the_fetched_answers_are_kept(transformed, capsys):
    for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="m/")["Contents"]:
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=item["Key"])
    assert run_jobs("fetch", "t-1") == 0
    output = capsys.readouterr().out
    assert f"warning: output.csv cannot be written: {MODEL}: contains no model" in output
    assert Path("results/t-1/transform/b.jpg.out").is_file() and not Path("results/t-1/output").exists()


def test_the_model_uri_is_read_from_the_record_or_from_sagemaker(transformed, tmp_path):
    description = {"ModelName": "t-1"}
    assert model_uri(Clients(), description, ResultsFolder(tmp_path)) == MODEL  # no record on this machine
    JobRecord("t-1", "transform", "transform", "sagemaker", "2026", tmp_path, {"model": "s3://b/kept/"}).save()
    assert model_uri(Clients(), description, ResultsFolder(tmp_path)) == "s3://b/kept/"


def test_an_error_of_python_m_model_is_a_failure():
    with pytest.raises(Failure, match="transform"):
        run_model("transfrom", print_line=print)
