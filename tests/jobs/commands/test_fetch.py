"""Fetching results by a job's name."""

from __future__ import annotations

from pathlib import Path

from jobs.backends.local_run import start_record
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model, write_training_results
from tests.jobs.examples import LOCAL_JOB


def test_the_newest_job_is_fetched(aws, tmp_path, capsys):
    write_training_results("exp-1", tmp_path, model=saved_model(tmp_path / "model"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0
    assert run_jobs("fetch") == 0
    assert "model: results/exp-1/model (resnet10t, 2 classes)" in capsys.readouterr().out
    assert Path("results/exp-1/model/model.safetensors").is_file()


def test_fetch_prints_the_results_folder_of_a_local_job(capsys):
    start_record(LOCAL_JOB, Path("results"), "here")
    assert run_jobs("fetch") == 0
    assert capsys.readouterr().out == "exp-1 ran on this machine; its results are in results/exp-1\n"


def test_fetching_a_running_job_is_an_error(aws, capsys, monkeypatch):
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0
    monkeypatch.setattr("jobs.aws.follower.Follower.describe", lambda _: {"TrainingJobStatus": "InProgress"})
    assert run_jobs("fetch", "exp-1") == 2
    assert "exp-1 has not ended: InProgress; follow it with: python -m jobs logs exp-1" in capsys.readouterr().err


def test_fetching_an_endpoint_is_an_error(aws, tmp_path, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--job_name", "e-1")
    assert run_jobs("deploy", *flags) == 0
    assert run_jobs("fetch", "e-1") == 2 and "an endpoint has no results to download" in capsys.readouterr().err
