"""Finding jobs by name: in their records, then on SageMaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.backends.local_run import start_record
from jobs.commands.find_job import find_job
from jobs.spec.account_flags import JobNameFlags
from jobs.spec.record import JobRecord
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model, write_training_results
from tests.jobs.examples import LOCAL_JOB


def test_a_job_started_elsewhere_is_found_by_name_and_region(aws, tmp_path, capsys):
    write_training_results("exp-2", tmp_path, model=saved_model(tmp_path / "made"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-2") == 0
    assert "python -m jobs logs exp-2" in capsys.readouterr().out
    assert run_jobs("fetch", "exp-2", "--region", "eu-west-1", "--results", "elsewhere") == 0
    assert Path("elsewhere/exp-2/model/model.safetensors").is_file()


def test_the_region_of_the_config_file_is_used(aws, tmp_path, monkeypatch):
    write_training_results("exp-6", tmp_path, model=saved_model(tmp_path / "made"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-6") == 0
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert run_jobs("fetch", "exp-6", "--results", "elsewhere") == 2
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert run_jobs("fetch", "exp-6", "--results", "elsewhere") == 0


def test_an_unknown_job_or_several_names_are_errors(aws, capsys):
    assert run_jobs("status", "nobody") == 2 and "no job 'nobody' in results" in capsys.readouterr().err
    assert run_jobs("status", "one", "two") == 2 and "expected one job, not 2: one two" in capsys.readouterr().err


def test_a_job_on_this_machine_has_no_follower(tmp_path):
    start_record(LOCAL_JOB, tmp_path, "here")
    job = find_job(JobNameFlags(results=str(tmp_path), job=["exp"]))
    assert (job.name, job.command, job.state, job.kind) == ("exp-1", "train", "not done", None)
    with pytest.raises(InputError, match="exp-1 ran on this machine; its results are in"):
        job.follower()


def test_the_region_and_profile_of_a_record_are_used(tmp_path):
    folder = tmp_path / "far"
    JobRecord("far", "train", "training", "sagemaker", "2026", folder, region="us-west-2", profile="mine").save()
    clients = find_job(JobNameFlags(results=str(tmp_path), job=["far"])).clients
    assert (clients.region, clients.profile) == ("us-west-2", "mine")
    clients = find_job(JobNameFlags(results=str(tmp_path), job=["far"], region="eu-west-1")).clients
    assert clients.region == "eu-west-1"


def test_a_record_of_an_unsupported_kind_is_an_error(capsys):
    JobRecord("exp", "train", "cluster", "sagemaker", "2026", Path("results/exp")).save()
    for command in ("status", "logs", "fetch", "stop"):
        assert run_jobs(command, "exp") == 2
        assert "results/exp: this version does not support jobs of kind 'cluster'" in capsys.readouterr().err
