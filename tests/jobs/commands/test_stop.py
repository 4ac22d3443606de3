"""Stopping jobs and deleting endpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobs.backends.local_run import start_record
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs, saved_model
from tests.jobs.examples import LOCAL_JOB

REMOTE = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz")


def deploy_remote(name: str) -> None:
    assert run_jobs("deploy", *REMOTE, "--job_name", name) == 0


def test_an_endpoint_is_deleted_with_its_configuration_and_model(aws, tmp_path, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")))
    for name in ("e-async", "e-2"):
        assert run_jobs("deploy", *flags, "--kind", "async", "--job_name", name) == 0
    capsys.readouterr()
    assert run_jobs("stop", "e-async") == 0
    assert "e-async is deleted: endpoint, configuration, model" in capsys.readouterr().out
    sagemaker = aws("sagemaker")
    parts = sagemaker.list_models()["Models"], sagemaker.list_endpoint_configs()["EndpointConfigs"]
    assert not any("e-async" in json.dumps(part, default=str) for part in parts)
    assert all("e-2" in json.dumps(part, default=str) for part in parts)


def test_deleting_an_endpoint_requires_its_full_name(aws, capsys):
    deploy_remote("prod")
    for name in ("pr", "latest"):
        assert run_jobs("stop", name, "--yes") == 2
        assert (
            "prod is an endpoint; to delete it, type its full name: python -m jobs stop prod" in capsys.readouterr().err
        )
    assert aws("sagemaker").describe_endpoint(EndpointName="prod")["EndpointStatus"] == "InService"


@pytest.mark.parametrize(("answer", "flags", "code"), [("n", (), 1), ("y", (), 0), ("n", ("--yes",), 0)])
def test_deleting_an_endpoint_asks_on_a_terminal(answer, flags, code, aws, monkeypatch, capsys):
    def answer_question(question: str) -> str:
        assert question == "delete the endpoint prod, its configuration and its model? [y/N] "
        return answer

    deploy_remote("prod")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer_question)
    assert run_jobs("stop", "prod", *flags) == code
    endpoints = aws("sagemaker").list_endpoints()["Endpoints"]
    assert bool(endpoints) is (code == 1)
    assert ("prod is not deleted" in capsys.readouterr().out) is (code == 1)


def test_the_name_of_a_deleted_endpoint_can_be_reused(aws):
    deploy_remote("prod")
    assert run_jobs("deploy", *REMOTE, "--job_name", "prod") == 2
    assert run_jobs("stop", "prod") == 0
    deploy_remote("prod")


def test_stopping_no_job_or_a_local_job_is_an_error(capsys):
    assert run_jobs("stop") == 2 and "expected the job to stop" in capsys.readouterr().err
    start_record(LOCAL_JOB, Path("results"), "here")
    assert (
        run_jobs("stop", "exp-1") == 2 and "exp-1 runs on this machine: stop it with Ctrl-C" in capsys.readouterr().err
    )


def test_the_name_of_an_endpoint_deleted_elsewhere_can_be_freed(aws, capsys):
    flags = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "prod")
    assert run_jobs("deploy", *flags) == 0
    assert run_jobs("stop", "prod", "--results", "elsewhere", "--region", "eu-west-1") == 0
    assert run_jobs("stop", "prod") == 2
    err = capsys.readouterr().err
    assert "no endpoint prod; if it was deleted elsewhere, remove results/prod to free the name" in err
    shutil.rmtree("results/prod")
    assert run_jobs("deploy", *flags) == 0
    assert [run_jobs("stop", "prod"), run_jobs("stop", "prod")] == [0, 2]
    assert capsys.readouterr().err.endswith("no endpoint prod\n")  # without advice: the record says that it is deleted
