"""Follows an execution of a SageMaker pipeline step by step, and downloads the results of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.aws.calls import call, user_error
from jobs.aws.clients import Clients
from jobs.aws.follower import Follower
from jobs.aws.job_kinds import PIPELINE, PROCESSING, TRAINING, JobKind
from jobs.results.fetch import fetch
from jobs.spec.console import PrintLine
from jobs.spec.results_folder import ResultsFolder
from model.errors import ExitCode

RUN = "run"  # key of the execution's ARN in the outputs of a record
REGISTER = "Register"  # this step only runs if the model passes the gate
FOLDER_ENDINGS = {"Train": "", "Answer": "-answers", "Evaluate": "-scores"}  # results of a step: RESULTS/JOB + ending
STEP_KINDS: dict[str, JobKind] = {"TrainingJob": TRAINING, "ProcessingJob": PROCESSING}  # by key of a step's metadata


@dataclass
class PipelineFollower(Follower):
    """Follows an execution of a pipeline. Only the jobs of its steps have logs, not the execution itself.

    Attributes:
        arn: ARN of the execution.
        logs: Whether to read a log: never.
        statuses: The last printed status of each step.
    """

    arn: str = ""
    logs: bool = False
    statuses: dict[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Returns the description of the execution, with its steps as "Steps". Raises InputError or Failure for errors
        of AWS."""
        from botocore.exceptions import BotoCoreError, ClientError

        def ask(method: str, **request: Any) -> Any:
            return call(
                getattr(self.clients.sagemaker, method),
                sleep=self.sleep,
                print_line=self.print_line,
                PipelineExecutionArn=self.arn,
                **request,
            )

        try:
            description = dict(ask(PIPELINE.describe_method))
            steps: list[Any] = []
            request: dict[str, Any] = {"SortOrder": "Ascending"}
            while True:
                answer = ask("list_pipeline_execution_steps", **request)
                steps += answer["PipelineExecutionSteps"]
                if not answer.get("NextToken"):
                    return {**description, "Steps": steps}
                request["NextToken"] = answer["NextToken"]
        except (ClientError, BotoCoreError) as error:
            raise user_error(error, f"pipeline {self.name}") from error

    def print_changes(self, description: Mapping[str, Any]) -> None:
        """Prints the changed statuses of steps, then a changed status of the execution."""
        for step in description["Steps"]:
            name, status = step["StepName"], step["StepStatus"]
            if self.statuses.get(name) != status:
                self.statuses[name] = status
                reason = "reused from an earlier execution" if step.get("CacheHitResult") else step.get("FailureReason")
                self.print_line(f"[{self.name}] {name}: {status}{f': {reason}' if reason else ''}")
        super().print_changes(description)

    def outcome(self, description: Mapping[str, Any]) -> tuple[int, list[str]]:
        """Returns exit code and lines of Follower.outcome, with the result of the gate.

        The code is DONE if the model is registered, NOT_PASSED if it does not pass the gate, and FAULT if a step failed
        or the execution was stopped.
        """
        code, lines = super().outcome(description)
        if code:
            return code, lines
        registered = next((step for step in description["Steps"] if step["StepName"] == REGISTER), None)
        if registered is None:
            return ExitCode.NOT_PASSED, [*lines, "the model does not pass the gate and is not registered"]
        version = registered.get("Metadata", {}).get("RegisterModel", {}).get("Arn", "")
        return ExitCode.DONE, [*lines, f"registered: {version}"]


def follow_pipeline(follower: PipelineFollower, results: Path) -> int:
    """Follows an execution to its end and downloads its results. Ctrl-C leaves it running.

    Args:
        follower: Follows the execution.
        results: Folder with the results of all jobs.

    Returns:
        The exit code of PipelineFollower.outcome.
    """
    try:
        description = follower.follow()
    except KeyboardInterrupt:
        follower.print_line(f"{follower.name} keeps running; follow it again with: python -m jobs logs {follower.name}")
        return ExitCode.INTERRUPTED
    code, lines = follower.outcome(description)
    for line in lines:
        follower.print_line(line)
    if code in (ExitCode.DONE, ExitCode.NOT_PASSED):
        fetch_pipeline(follower.clients, description, results / follower.name, follower.print_line)
    return code


def fetch_pipeline(clients: Clients, description: Mapping[str, Any], folder: Path, print_line: PrintLine) -> None:
    """Downloads the results of each step: the model to RESULTS/JOB, predictions and scores to the folders next to it
    that a pipeline on this machine uses.

    Args:
        clients: Clients of the AWS account.
        description: Description of the execution, with its steps.
        folder: RESULTS/JOB.
        print_line: Prints a line of output.
    """
    for step in description["Steps"]:
        for key, kind in STEP_KINDS.items():
            arn = step.get("Metadata", {}).get(key, {}).get("Arn")
            if arn and step["StepStatus"] == "Succeeded" and step["StepName"] in FOLDER_ENDINGS:
                job = Follower(clients, kind, arn.rsplit("/", 1)[-1], print_line).describe()
                results = ResultsFolder(folder.with_name(folder.name + FOLDER_ENDINGS[step["StepName"]]))
                fetch(clients, kind, job, results, print_line)
