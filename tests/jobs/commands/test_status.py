"""The status of jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.backends.local_run import collect, start_record
from jobs.spec.record import JobRecord
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model, write_training_results
from tests.jobs.examples import LOCAL_JOB, saved_state, write_hosts


@pytest.mark.parametrize(
    ("code", "finished", "state"),
    [(0, True, "done"), (0, False, "stopped"), (130, False, "stopped"), (5, True, "failed with exit code 5")],
)
def test_the_state_of_a_local_job_is_read_from_its_record(code, finished, state, tmp_path, capsys):
    job = replace(LOCAL_JOB, name="exp-2")
    record = start_record(job, tmp_path, "here")
    assert saved_state(record) == "not done"
    hosts = write_hosts(record, "algo-1")
    saved_model(hosts["algo-1"].model)
    (hosts["algo-1"].model / "metrics.json").write_text(json.dumps({"finished": finished}))
    collect(job, record, hosts, {"algo-1": code}, lambda _: None)
    for command in ("status", "list"):
        assert run_jobs(command, *(["exp-2"] if command == "status" else []), "--results", str(tmp_path)) == 0
        output = capsys.readouterr().out
        assert state in output and (command == "list" or f"train exp-2: {state}, on here; log: " in output)


def test_the_status_of_a_sagemaker_job_is_requested(aws, tmp_path, capsys):
    write_training_results("exp-1", tmp_path, model=saved_model(tmp_path / "model"))
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0
    assert run_jobs("status") == 0 and "training exp-1: Completed" in capsys.readouterr().out
    assert not Path("results/exp-1/model").exists()  # nothing is downloaded


@pytest.mark.parametrize("command", ["status", "logs"])
@pytest.mark.parametrize(
    ("status", "steps", "code", "line"),
    [
        ("Succeeded", ["Gate", "Register"], 0, "registered: "),
        ("Succeeded", ["Gate"], 3, "the model does not pass the gate and is not registered"),
        ("Failed", ["Train"], 1, "pipeline p-1: Failed"),
    ],
)
def test_the_exit_code_of_an_ended_pipeline_is_the_gates_result(
    command, status, steps, code, line, capsys, monkeypatch
):
    JobRecord("p-1", "pipeline", "pipeline", "sagemaker", "2026", Path("results/p-1"), {"run": "arn:p"}).save()
    description = {
        "PipelineExecutionStatus": status,
        "Steps": [{"StepName": step, "StepStatus": "Succeeded"} for step in steps],
    }
    monkeypatch.setattr("jobs.results.pipeline_run.PipelineFollower.describe", lambda _: description)
    assert run_jobs(command, "p-1", "--region", "eu-west-1") == code
    assert line in capsys.readouterr().out


def test_the_status_of_a_failed_job_is_printed_with_exit_code_0(capsys, monkeypatch):
    JobRecord("exp-1", "train", "training", "sagemaker", "2026", Path("results/exp-1")).save()
    description = {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError"}
    monkeypatch.setattr("jobs.aws.follower.Follower.describe", lambda _: description)
    assert run_jobs("status", "exp-1", "--region", "eu-west-1") == 0
    assert "FailureReason: AlgorithmError" in capsys.readouterr().out
