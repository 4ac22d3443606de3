"""Executions of a pipeline, with answers of SageMaker from botocore's Stubber."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PIPELINE
from jobs.results.pipeline_run import PipelineFollower, follow_pipeline
from model.errors import ExitCode
from tests.jobs.stubs import (
    NAME,
    described,
)

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p-1/execution/abc123def456"
VERSION = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/rarebird/7"
RUN = {"PipelineExecutionArn": ARN}
ANY_PAGE = {**RUN, "SortOrder": ANY}


def look(stub: Stubber, status: str, steps: dict[str, str], **more: Any) -> None:
    """Queues the description of an execution, and its steps in two pages."""
    stub.add_response("describe_pipeline_execution", {**RUN, "PipelineExecutionStatus": status, **more}, RUN)
    executed: list[dict[str, Any]] = [{"StepName": name, "StepStatus": state} for name, state in steps.items()]
    for step in executed:
        if step["StepName"] == "Register":
            step["Metadata"] = {"RegisterModel": {"Arn": VERSION}}
        if step["StepStatus"] == "Failed":
            step["FailureReason"] = "ClientError: no class b"
    page = {**RUN, "SortOrder": "Ascending"}
    first = {"PipelineExecutionSteps": executed[:1], "NextToken": "t"}
    stub.add_response("list_pipeline_execution_steps", first, page)
    stub.add_response(
        "list_pipeline_execution_steps", {"PipelineExecutionSteps": executed[1:]}, {**page, "NextToken": "t"}
    )


def run_follower(clients: Clients) -> tuple[PipelineFollower, list[str]]:
    lines: list[str] = []
    return PipelineFollower(clients, PIPELINE, "p-1", lines.append, sleep=lambda _: None, arn=ARN), lines


DONE = {"Train": "Succeeded", "Answer": "Succeeded", "Evaluate": "Succeeded", "Gate": "Succeeded"}


@pytest.mark.parametrize(("more", "code"), [({"Register": "Succeeded"}, 0), ({}, ExitCode.NOT_PASSED)])
def test_an_execution_is_followed_step_by_step(more, code, stubbed, tmp_path):
    clients, sagemaker, _ = stubbed
    look(sagemaker, "Executing", {"Train": "Executing"})
    look(sagemaker, "Executing", {"Train": "Succeeded", "Answer": "Starting"})
    look(sagemaker, "Succeeded", {**DONE, **more})
    follower, lines = run_follower(clients)
    assert follow_pipeline(follower, tmp_path) == code
    assert lines[:4] == [
        "[p-1] Train: Executing",
        "[p-1] Executing",
        "[p-1] Train: Succeeded",
        "[p-1] Answer: Starting",
    ]
    assert (f"registered: {VERSION}" in lines) is (code == 0)
    assert any("does not pass the gate" in line for line in lines) is (code == ExitCode.NOT_PASSED)
    sagemaker.assert_no_pending_responses()


def test_an_execution_that_fails_prints_its_reason(stubbed, tmp_path):
    clients, sagemaker, _ = stubbed
    reason = "Step failure: One or multiple steps failed."
    look(sagemaker, "Failed", {"Train": "Failed"}, FailureReason=reason)
    follower, lines = run_follower(clients)
    assert follow_pipeline(follower, tmp_path) == 1
    assert "[p-1] Train: Failed: ClientError: no class b" in lines and f"FailureReason: {reason}" in lines


def test_reused_results_of_a_step_are_reported(stubbed):
    clients, sagemaker, _ = stubbed
    step = {
        "StepName": "Train",
        "StepStatus": "Succeeded",
        "CacheHitResult": {"SourcePipelineExecutionArn": ARN},
    }
    sagemaker.add_response("describe_pipeline_execution", {**RUN, "PipelineExecutionStatus": "Executing"}, RUN)
    sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": [step]}, ANY_PAGE)
    follower, lines = run_follower(clients)
    follower.print_changes(follower.describe())
    assert lines[0] == "[p-1] Train: Succeeded: reused from an earlier execution"


def test_results_of_steps_are_fetched_to_separate_folders(stubbed, tmp_path, monkeypatch):
    clients, sagemaker, _ = stubbed
    job = f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}"
    step = {"StepName": "Train", "StepStatus": "Succeeded", "Metadata": {"TrainingJob": {"Arn": job}}}
    sagemaker.add_response("describe_pipeline_execution", {**RUN, "PipelineExecutionStatus": "Succeeded"}, RUN)
    sagemaker.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": [step]}, ANY_PAGE)
    sagemaker.add_response("describe_training_job", described("Completed", "Completed"), {"TrainingJobName": NAME})
    fetched: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        "jobs.results.pipeline_run.fetch", lambda _, kind, __, results, ___: fetched.append((kind.name, results.path))
    )
    assert follow_pipeline(run_follower(clients)[0], tmp_path) == ExitCode.NOT_PASSED
    assert fetched == [("training", tmp_path / "p-1")]
