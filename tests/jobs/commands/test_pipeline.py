"""Pipelines on this machine, and on a moto server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container.job_types import EVALUATION, INFERENCE, TRAIN
from jobs.aws.clients import Clients
from jobs.commands.pipeline import check_gate, run_chain
from jobs.requests.pipeline import Gate
from jobs.results.pipeline_run import PipelineFollower
from jobs.spec.job import Job
from jobs.spec.record import JobRecord
from model.errors import ExitCode
from tests.jobs.conftest import ACCOUNT, BUCKET, REGISTRY_ACCOUNT, keys, run_jobs

CHAIN = "--data s3://b/t --eval_data s3://b/e --truth s3://b/g --job_name p-1"
FLAGS = (*ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/t", "--eval_data", f"s3://{BUCKET}/e")


def evaluation(value: float, low: float | None) -> dict[str, object]:
    score = {"value": value, "low": low, "high": None if low is None else 1.0}
    return {"rarebird": {"macro_f1": score, "accuracy": score}, "multiclass_classification_metrics": {}}


@pytest.mark.parametrize(
    ("value", "low", "gate", "low_gate", "passed"),
    [
        (0.5, 0.4, 0.5, 0.4, True),
        (0.499, 0.4, 0.5, 0.4, False),
        (0.5, 0.39, 0.5, 0.4, False),
        (0.5, None, 0.5, 0.0, True),
        (0.5, None, 0.5, 0.1, False),
    ],
)
def test_the_gate_checks_the_score_and_its_interval(value, low, gate, low_gate, passed):
    assert check_gate(evaluation(value, low), Gate(gate, low_gate))[0] is passed


class Flags:
    eval_data, truth, gate, low_gate = "eval", "gt", 0.5, 0.4


@pytest.mark.parametrize(("value", "code"), [(0.6, 0), (0.45, 3)])
def test_the_chain_registers_only_models_that_pass(value, code, tmp_path):
    ran: list[Job] = []

    def run(job: Job) -> int:
        ran.append(job)
        if job.type == EVALUATION:
            folder = tmp_path / job.name / "evaluation"
            folder.mkdir(parents=True)
            (folder / "evaluation.json").write_text(json.dumps(evaluation(value, 0.42)))
        return 0

    assert run_chain(Flags, Job(TRAIN, "exp-1"), tmp_path, run) == code
    assert [job.type for job in ran] == [TRAIN, INFERENCE, EVALUATION]
    assert ran[1].inputs[1].source == str(tmp_path / "exp-1" / "model")
    assert (tmp_path / "exp-1" / "registered.json").is_file() is (code == 0)


@pytest.mark.parametrize("failing", [TRAIN, INFERENCE, EVALUATION])
def test_the_chain_stops_when_a_job_fails(failing, tmp_path):
    ran: list[str] = []

    def run(job: Job) -> int:
        ran.append(job.type.name)
        return 5 if job.type == failing else 0

    assert run_chain(Flags, Job(TRAIN, "exp-1"), tmp_path, run) == 5
    assert ran[-1] == failing.name


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--group a_b", "ModelPackageGroupName (--group)"),
        ("--instance ml.x", "(--instance)"),
        (f"--eval_data s3://b/{'a' * 1024}", "ProcessingInputs[0].S3Input.S3Uri"),
    ],
)
def test_every_step_is_checked_before_anything_is_sent(flags, message, dry_run):
    code, out, err = dry_run("pipeline", *shlex.split(CHAIN), *flags.split(" "))
    assert (code, out) == (2, "")
    assert message in err


def test_a_missing_evaluation_folder_is_an_error(dry_run: Callable[..., tuple[int, str, str]]):
    code, _, err = dry_run("pipeline", "--data", "s3://b/t", "--eval_data", "nowhere", "--truth", "s3://b/g")
    assert code == 2 and "--eval_data 'nowhere'" in err


def test_a_pipeline_is_created_updated_and_found_by_name(
    aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    truth = tmp_path / "gt"
    truth.mkdir()
    (truth / "gt.csv").write_text("ImageID,ans\n")
    flags = ("pipeline", *FLAGS, "--truth", str(truth), "--job_name", "p-1", "--tags", "{team: vision}")
    assert run_jobs(*flags, "--epochs", "1") == 0
    assert run_jobs(*flags, "--epochs", "2") == 0
    assert "updated the existing pipeline p-1" in capsys.readouterr().out
    sagemaker = aws("sagemaker")
    steps = json.loads(sagemaker.describe_pipeline(PipelineName="p-1")["PipelineDefinition"])["Steps"]
    assert steps[0]["Arguments"]["HyperParameters"] == {"epochs": "2"}
    executions = sagemaker.list_pipeline_executions(PipelineName="p-1")["PipelineExecutionSummaries"]
    assert len(executions) == 2
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["rarebird"]
    assert any(key.endswith("/gt.csv") for key in keys("rarebird/data/"))
    assert run_jobs("list") == 0 and "pipeline  p-1" in capsys.readouterr().out

    record = json.loads(Path("results/p-1/job.json").read_text())
    requests: list[dict[str, str]] = []

    def answer(self: Any, operation: str, request: dict[str, str]) -> dict[str, Any]:
        requests.append({"operation": operation, **request})
        if operation == "ListPipelineExecutionSteps":
            return {"PipelineExecutionSteps": [{"StepName": "Train", "StepStatus": "Executing"}]}
        return {"PipelineExecutionStatus": "Executing"}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", answer)  # moto supports neither steps nor stop
    assert run_jobs("status", "p-1") == 0 and "[p-1] Train: Executing" in capsys.readouterr().out
    assert run_jobs("stop", "p-1") == 0
    assert [request["operation"] for request in requests] == [
        *("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution")
    ]
    assert {request["PipelineExecutionArn"] for request in requests} == {record["places"]["run"]}


@pytest.mark.parametrize("ending", ["", "-answers", "-scores"])
def test_existing_results_of_any_step_are_an_error_before_the_start(ending, capsys):
    JobRecord(f"p-1{ending}", "train", "training", "here", "2026", Path(f"results/p-1{ending}")).save()
    for name in ("t", "e", "g"):
        Path(name).mkdir()
    flags = ("--data", "t", "--eval_data", "e", "--truth", "g", "--job_name", "p-1")
    for account in ((), (*ACCOUNT, "--on", "sagemaker")):
        assert run_jobs("pipeline", *account, *flags) == 2
        assert f"results/p-1{ending} already exists (it belongs to train p-1{ending})" in capsys.readouterr().err


def test_wait_follows_the_execution(aws: Callable[[str], Any], monkeypatch: Any) -> None:
    followed: list[PipelineFollower] = []
    monkeypatch.setattr(
        "jobs.commands.pipeline.follow_pipeline", lambda follower, _: followed.append(follower) or ExitCode.NOT_PASSED
    )
    flags = ("pipeline", *FLAGS, "--truth", f"s3://{BUCKET}/g", "--job_name", "p-2")
    assert run_jobs(*flags) == 0 and not followed
    assert run_jobs(*flags, "--wait") == ExitCode.NOT_PASSED
    assert followed[0].arn.split("/")[1] == "p-2"


def test_a_retried_start_uses_the_same_token(aws: Callable[[str], Any], monkeypatch: Any) -> None:
    from botocore.exceptions import ConnectionClosedError

    clients = Clients("eu-west-1")
    real = clients.sagemaker._make_api_call
    tokens: list[str] = []

    def breaking(operation: str, request: dict[str, Any]) -> Any:
        if operation in ("StartPipelineExecution", "CreateModelPackage"):
            tokens.append(request.get("ClientRequestToken") or request.get("ClientToken") or "")
            if len(tokens) % 2:
                raise ConnectionClosedError(endpoint_url="")
        return real(operation, request)

    monkeypatch.setattr(clients.sagemaker, "_make_api_call", breaking)
    monkeypatch.setattr("jobs.commands.pipeline.Clients", lambda *_: clients)
    monkeypatch.setattr("jobs.commands.register.Clients", lambda *_: clients)
    monkeypatch.setattr("jobs.aws.calls.FIRST_PAUSE", 0.0)
    assert run_jobs("pipeline", *FLAGS, "--truth", f"s3://{BUCKET}/g", "--job_name", "p-3") == 0
    assert run_jobs("register", *REGISTRY_ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz") == 0
    assert len(tokens) == 4 and all(tokens)
    assert tokens[0] == tokens[1] and tokens[2] == tokens[3]
