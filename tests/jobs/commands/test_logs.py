"""Logs of jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.backends.local_run import start_record
from tests.jobs.conftest import ACCOUNT, BUCKET, leave, run_jobs, saved_model
from tests.jobs.examples import LOCAL_JOB


def test_the_log_of_a_job_on_this_machine(tmp_path, capsys):
    record = start_record(LOCAL_JOB, tmp_path, "here")
    assert run_jobs("logs", "exp-1", "--results", str(tmp_path)) == 0
    assert "exp-1 has written no line yet" in capsys.readouterr().out
    (record.folder / "log.txt").write_text("one\ntwo\n")
    assert run_jobs("logs", "exp-1", "--results", str(tmp_path)) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize("follow", ["true", "false"])
def test_the_log_of_a_job_on_sagemaker(follow, aws, tmp_path, capsys):
    leave("exp-1", tmp_path, model=saved_model(tmp_path / "model"))
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
    assert "exp-1 goes on; python -m jobs logs exp-1 comes back to it" in capsys.readouterr().out
