"""A run of a pipeline, against answers of SageMaker that botocore's Stubber checks, and against a moto server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PIPELINE
from jobs.results.pipeline_run import RunFollower, follow_run
from model.errors import ExitCode
from tests.jobs.conftest import ACCOUNT
from tests.jobs.test_follow import NAME, described, stubbed
from tests.jobs.test_moto import BUCKET, aws, keys, server, verb

__all__ = ["aws", "server", "stubbed"]  # fixtures

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p-1/execution/abc123def456"
VERSION = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/rarebird/7"
ASKED = {"PipelineExecutionArn": ARN}


def looked(stub: Stubber, status: str, steps: dict[str, str], **more: Any) -> None:
    """Queues one look at a run: its description, and its steps in two pages."""
    stub.add_response("describe_pipeline_execution", {**ASKED, "PipelineExecutionStatus": status, **more}, ASKED)
    told: list[dict[str, Any]] = [{"StepName": name, "StepStatus": state} for name, state in steps.items()]
    for step in told:
        if step["StepName"] == "Register":
            step["Metadata"] = {"RegisterModel": {"Arn": VERSION}}
        if step["StepStatus"] == "Failed":
            step["FailureReason"] = "ClientError: no class b"
    page = {**ASKED, "SortOrder": "Ascending"}
    first = {"PipelineExecutionSteps": told[:1], "NextToken": "t"}
    stub.add_response("list_pipeline_execution_steps", first, page)
    stub.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": told[1:]}, {**page, "NextToken": "t"})


def run_follower(clients: Clients) -> tuple[RunFollower, list[str]]:
    told: list[str] = []
    return RunFollower(clients, PIPELINE, "p-1", told.append, sleep=lambda _: None, arn=ARN), told


DONE = {"Train": "Succeeded", "Answer": "Succeeded", "Evaluate": "Succeeded", "Gate": "Succeeded"}


@pytest.mark.parametrize(("more", "code"), [({"Register": "Succeeded"}, 0), ({}, ExitCode.NOT_PASSED)])
def test_a_run_is_followed_step_by_step(more, code, stubbed, tmp_path):
    clients, sagemaker, _ = stubbed
    looked(sagemaker, "Executing", {"Train": "Executing"})
    looked(sagemaker, "Executing", {"Train": "Succeeded", "Answer": "Starting"})
    looked(sagemaker, "Succeeded", {**DONE, **more})
    follower, told = run_follower(clients)
    assert follow_run(follower, tmp_path) == code
    assert told[:4] == ["[p-1] Train: Executing", "[p-1] Executing", "[p-1] Train: Succeeded", "[p-1] Answer: Starting"]
    assert (f"registered: {VERSION}" in told) is (code == 0)
    assert any("does not pass the gate" in line for line in told) is (code == ExitCode.NOT_PASSED)
    sagemaker.assert_no_pending_responses()


def test_a_run_that_fails_tells_its_reason(stubbed, tmp_path):
    clients, sagemaker, _ = stubbed
    reason = "Step failure: One or multiple steps failed."
    looked(sagemaker, "Failed", {"Train": "Failed"}, FailureReason=reason)
    follower, told = run_follower(clients)
    assert follow_run(follower, tmp_path) == 1
    assert "[p-1] Train: Failed: ClientError: no class b" in told and f"FailureReason: {reason}" in told


def test_what_the_steps_made_is_fetched_beside_each_other(stubbed, tmp_path, monkeypatch):
    clients, sagemaker, _ = stubbed
    job = f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}"
    step = {"StepName": "Train", "StepStatus": "Succeeded", "Metadata": {"TrainingJob": {"Arn": job}}}
    sagemaker.add_response("describe_pipeline_execution", {**ASKED, "PipelineExecutionStatus": "Succeeded"}, ASKED)
    sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": [step]}, ANY_PAGE)
    sagemaker.add_response("describe_training_job", described("Completed", "Completed"), {"TrainingJobName": NAME})
    fetched: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        "jobs.results.pipeline_run.fetch", lambda _, kind, __, folder, ___: fetched.append((kind.word, folder))
    )
    assert follow_run(run_follower(clients)[0], tmp_path) == ExitCode.NOT_PASSED
    assert fetched == [("training", tmp_path / "p-1")]


ANY_PAGE = {**ASKED, "SortOrder": ANY}
FLAGS = (*ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/t", "--eval_data", f"s3://{BUCKET}/e")


def test_a_pipeline_is_made_changed_and_known_by_name(
    aws: Callable[[str], Any], tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    truth = tmp_path / "gt"
    truth.mkdir()
    (truth / "gt.csv").write_text("ImageID,ans\n")
    flags = ("pipeline", *FLAGS, "--truth", str(truth), "--job_name", "p-1", "--tags", "{team: vision}")
    assert verb(*flags, "--epochs", "1") == 0
    assert verb(*flags, "--epochs", "2") == 0
    assert "it has this definition now" in capsys.readouterr().out
    sagemaker = aws("sagemaker")
    steps = json.loads(sagemaker.describe_pipeline(PipelineName="p-1")["PipelineDefinition"])["Steps"]
    assert steps[0]["Arguments"]["HyperParameters"] == {"epochs": "2"}
    runs = sagemaker.list_pipeline_executions(PipelineName="p-1")["PipelineExecutionSummaries"]
    assert len(runs) == 2
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["rarebird"]
    assert any(key.endswith("/gt.csv") for key in keys("rarebird/data/"))
    assert verb("list") == 0 and "pipeline  p-1" in capsys.readouterr().out

    record = json.loads(Path("results/p-1/job.json").read_text())
    asked: list[dict[str, str]] = []

    def answer(self: Any, operation: str, request: dict[str, str]) -> dict[str, Any]:
        asked.append({"operation": operation, **request})
        if operation == "ListPipelineExecutionSteps":
            return {"PipelineExecutionSteps": [{"StepName": "Train", "StepStatus": "Executing"}]}
        return {"PipelineExecutionStatus": "Executing"}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", answer)  # moto knows no steps and no stop
    assert verb("status", "p-1") == 0 and "[p-1] Train: Executing" in capsys.readouterr().out
    assert verb("stop", "p-1") == 0
    assert [told["operation"] for told in asked] == [
        *("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution")
    ]
    assert {told["PipelineExecutionArn"] for told in asked} == {record["places"]["run"]}


def test_wait_follows_the_run(aws: Callable[[str], Any], monkeypatch: Any) -> None:
    followed: list[RunFollower] = []
    monkeypatch.setattr(
        "jobs.commands.pipeline.follow_run", lambda follower, _: followed.append(follower) or ExitCode.NOT_PASSED
    )
    flags = ("pipeline", *FLAGS, "--truth", f"s3://{BUCKET}/g", "--job_name", "p-2")
    assert verb(*flags) == 0 and not followed
    assert verb(*flags, "--wait") == ExitCode.NOT_PASSED
    assert followed[0].arn.split("/")[1] == "p-2"


def test_a_start_that_is_tried_again_is_one_start(aws: Callable[[str], Any], monkeypatch: Any) -> None:
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
    monkeypatch.setattr("jobs.aws.clients.Clients", lambda *_: clients)
    monkeypatch.setattr("jobs.aws.clients.FIRST_PAUSE", 0.0)
    assert verb("pipeline", *FLAGS, "--truth", f"s3://{BUCKET}/g", "--job_name", "p-3") == 0
    assert verb("register", *ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz") == 0
    assert len(tokens) == 4 and all(tokens)
    assert tokens[0] == tokens[1] and tokens[2] == tokens[3]
