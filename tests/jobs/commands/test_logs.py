"""Logs of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from jobs.aws.follower import Follower
from jobs.backends.local_run import start_record
from jobs.spec.record import JobRecord
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model, write_training_results
from tests.jobs.examples import LOCAL_JOB


def test_the_log_of_a_job_on_this_machine(tmp_path, capsys):
    record = start_record(LOCAL_JOB, tmp_path, "here")
    assert run_jobs("logs", "exp-1", "--results", str(tmp_path)) == 0
    assert "exp-1 has not written any lines yet" in capsys.readouterr().out
    (record.folder / "log.txt").write_text("one\ntwo\n")
    assert run_jobs("logs", "exp-1", "--results", str(tmp_path)) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize("follow", ["true", "false"])
def test_the_log_of_a_job_on_sagemaker(follow, aws, tmp_path, capsys):
    write_training_results("exp-1", tmp_path, model=saved_model(tmp_path / "model"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0
    capsys.readouterr()
    assert run_jobs("logs", "exp", "--follow", follow) == 0
    output = capsys.readouterr().out
    assert "started" in output and ("training exp-1: Completed" in output) is (follow == "true")
    assert not Path("results/exp-1/model").exists()


def test_ctrl_c_leaves_the_job_running(aws, tmp_path, capsys, monkeypatch):
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0

    def pressed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.aws.follower.Follower.follow", pressed)
    assert run_jobs("logs", "exp-1") == 130
    assert "exp-1 keeps running; follow it again with: python -m jobs logs exp-1" in capsys.readouterr().out


def test_the_log_of_an_endpoint_is_followed_while_it_serves(capsys, monkeypatch):
    JobRecord("prod", "deploy", "endpoint", "sagemaker", "2026", Path("results/prod")).save()
    statuses = ["InService", "Updating", "InService"]

    def describe(follower: Follower) -> dict[str, str]:
        if not statuses:
            error = ClientError(
                {"Error": {"Code": "ValidationException", "Message": "no endpoint"}}, "DescribeEndpoint"
            )
            raise InputError("no endpoint") from error
        return {"EndpointStatus": statuses.pop(0)}

    monkeypatch.setattr("jobs.aws.follower.Follower.describe", describe)
    monkeypatch.setattr("jobs.aws.follower.Follower.log_tail", lambda _: None)
    monkeypatch.setattr("jobs.aws.follower.POLL_SECONDS", 0.0)
    assert run_jobs("logs", "prod", "--region", "eu-west-1") == 0
    changes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[prod]")]
    assert changes == [f"[prod] {status}" for status in ("InService", "Updating", "InService", "Deleted")]
