"""Answers of SageMaker and CloudWatch for botocore's Stubber (the fixture `stubbed`)."""

from __future__ import annotations

import datetime
from typing import Any

from botocore.stub import ANY, Stubber

from jobs.aws.clients import Clients
from jobs.aws.follower import Follower
from jobs.aws.job_kinds import TRAINING

START = datetime.datetime(2026, 11, 21, 9, tzinfo=datetime.UTC)
NAME = "exp-1"
LEAST = {
    "TrainingJobName": NAME,
    "RoleArn": "arn:aws:iam::123456789012:role/x",
    "OutputDataConfig": {"S3OutputPath": "s3://b"},
}
GROUP = "/aws/sagemaker/TrainingJobs"
FIRST_READ = {"logGroupName": GROUP, "logStreamNamePrefix": f"{NAME}/", "limit": ANY}


def event(number: int, message: str, *, host: str = "algo-1", written: int = 1_700_000_000_000, late: int = 0) -> Any:
    """Returns an event of a log. written: ms since the epoch; late: ms until CloudWatch ingests it."""
    return {
        "logStreamName": f"{NAME}/{host}-1",
        "timestamp": written,
        "message": message,
        "ingestionTime": written + late,
        "eventId": str(number),
    }


def described(status: str, secondary: str, *transitions: str, **more: Any) -> dict[str, Any]:
    """Returns a description of the training. transitions: its secondary statuses so far."""
    changes = [
        {"Status": name, "StartTime": START + datetime.timedelta(seconds=at), "StatusMessage": f"message {name}"}
        for at, name in enumerate(transitions)
    ]
    return {
        "TrainingJobName": NAME,
        "TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary,
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1},
        "CreationTime": START,
        "SecondaryStatusTransitions": changes,
        **more,
    }


def describe(stub: Stubber, *arguments: Any, **more: Any) -> None:
    """Queues a description; arguments as for `described`."""
    stub.add_response("describe_training_job", described(*arguments, **more), {"TrainingJobName": NAME})


def no_log(stub: Stubber, times: int) -> None:
    """Queues answers that the log does not exist yet."""
    for _ in range(times):
        stub.add_client_error("filter_log_events", "ResourceNotFoundException")


def follower(clients: Clients, **more: Any) -> tuple[Follower, list[str]]:
    """Returns a follower of the training, and the list of lines that it prints."""
    lines: list[str] = []
    return Follower(clients, TRAINING, NAME, lines.append, sleep=lambda _: None, **more), lines
