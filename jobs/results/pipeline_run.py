"""A run of a SageMaker pipeline: followed step by step to its end, and what it made brought down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients, Tell, call, explained
from jobs.aws.follow import Follower, ending
from jobs.aws.job_kinds import PIPELINE, PROCESSING, TRAINING, Kind
from jobs.results.fetch import fetch
from model.errors import ExitCode

RUN = "run"  # of a record's places: the run's ARN
FOLDERS = {"Train": "", "Answer": "-answers", "Evaluate": "-scores"}  # of a step's results, after the pipeline's name
JOBS: dict[str, Kind] = {"TrainingJob": TRAINING, "ProcessingJob": PROCESSING}  # by what a step's metadata call them


@dataclass
class RunFollower(Follower):
    """Follows the run of this ARN; each step's log is that of its job."""

    arn: str = ""
    logs: bool = False
    seen: dict[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """The run's description, with its steps under Steps. InputError or Failure where AWS does not answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        def asked(method: str, **request: Any) -> Any:
            return call(
                getattr(self.clients.sagemaker, method),
                sleep=self.sleep,
                tell=self.tell,
                PipelineExecutionArn=self.arn,
                **request,
            )

        try:
            description = dict(asked(PIPELINE.describe))
            steps: list[Any] = []
            request: dict[str, Any] = {"SortOrder": "Ascending"}
            while True:
                answer = asked("list_pipeline_execution_steps", **request)
                steps += answer["PipelineExecutionSteps"]
                if not answer.get("NextToken"):
                    return {**description, "Steps": steps}
                request["NextToken"] = answer["NextToken"]
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"pipeline {self.name}") from error

    def tell_changes(self, description: Mapping[str, Any]) -> None:
        """The statuses of steps that are new, and the run's own."""
        for step in description["Steps"]:
            name, status, reason = step["StepName"], step["StepStatus"], step.get("FailureReason", "")
            if self.seen.get(name) != status:
                self.seen[name] = status
                self.tell(f"[{self.name}] {name}: {status}{f': {reason}' if reason else ''}")
        super().tell_changes(description)


def follow_run(follower: RunFollower, results: Path) -> int:
    """Follows a run to its end and brings down what it made: 0 where its model is registered, 3 where it does not pass
    the gate, 1 where a step failed or it was stopped. Ctrl-C leaves it running."""
    try:
        description = follower.to_the_end()
    except KeyboardInterrupt:
        follower.tell(f"{follower.name} goes on; python -m jobs logs {follower.name} comes back to it")
        return ExitCode.INTERRUPTED
    code, lines = ending(PIPELINE, follower.name, description, [])
    for line in lines:
        follower.tell(line)
    if code:
        return code
    fetch_run(follower.clients, description, results / follower.name, follower.tell)
    registered = next((step for step in description["Steps"] if step["StepName"] == "Register"), None)
    if registered is None:
        follower.tell("the model does not pass the gate; it is not registered")
        return ExitCode.NOT_PASSED
    follower.tell(f"registered: {registered.get('Metadata', {}).get('RegisterModel', {}).get('Arn', '')}")
    return 0


def fetch_run(clients: Clients, description: Mapping[str, Any], folder: Path, tell: Tell) -> None:
    """What each step's job left: the model in folder, answers and scores in folders beside it, as they lie where the
    chain runs on this machine."""
    for step in description["Steps"]:
        for made, kind in JOBS.items():
            arn = step.get("Metadata", {}).get(made, {}).get("Arn")
            if arn and step["StepStatus"] == "Succeeded" and step["StepName"] in FOLDERS:
                job = Follower(clients, kind, arn.rsplit("/", 1)[-1], tell).describe()
                fetch(clients, kind, job, folder.with_name(folder.name + FOLDERS[step["StepName"]]), tell)
