"""Following jobs to their end, with answers of SageMaker from botocore's Stubber."""

from __future__ import annotations

import datetime

import pytest
from botocore.stub import ANY

from jobs.aws.follower import Follower, lacked_capacity, outcome
from jobs.aws.job_kinds import ENDPOINT, ENDPOINT_ENDED, TRAINING
from model.errors import InputError
from tests.jobs.stubs import (
    NAME,
    START,
    describe,
    described,
    event,
    follower,
    no_log,
)


def test_a_spot_job_that_is_interrupted_and_restarted(stubbed):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Starting", "Starting")
    describe(sagemaker, "InProgress", "Interrupted", "Starting", "Training", "Interrupted")
    describe(sagemaker, "InProgress", "Restarting", "Starting", "Training", "Interrupted", "Restarting", "Training")
    end = described(
        "Completed",
        "Completed",
        *("Starting", "Training", "Interrupted", "Restarting", "Training", "Uploading", "Completed"),
        TrainingStartTime=START,
        TrainingEndTime=START + datetime.timedelta(seconds=1000),
        TrainingTimeInSeconds=1000,
        BillableTimeInSeconds=300,
    )
    sagemaker.add_response("describe_training_job", end, {"TrainingJobName": NAME})
    no_log(logs, 7)
    watched, lines = follower(clients)
    description = watched.follow()
    assert [line.split("] ")[1].split(":")[0] for line in lines] == [
        *("Starting", "Training", "Interrupted", "Restarting", "Training", "Uploading", "Completed")
    ]
    assert any("AWS reclaimed the spot instance" in line for line in lines)
    code, ending = outcome(TRAINING, NAME, description, [])
    assert code == 0
    assert "duration: 1,000 s" in ending and "billable: 300 s, spot saved 70%" in ending
    sagemaker.assert_no_pending_responses()


def endpoint_follower(clients, sagemaker, *statuses):
    """Returns a follower of an endpoint with these statuses, and the list of lines that it prints."""
    least = {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{NAME}",
        "CreationTime": START,
        "LastModifiedTime": START,
    }
    for status in statuses:
        sagemaker.add_response("describe_endpoint", {**least, "EndpointStatus": status}, {"EndpointName": NAME})
    lines: list[str] = []
    return Follower(clients, ENDPOINT, NAME, lines.append, sleep=lambda _: None), lines


def test_an_endpoint_is_followed_until_it_is_in_service(stubbed):
    clients, sagemaker, logs = stubbed
    group = {"logGroupName": f"/aws/sagemaker/Endpoints/{NAME}", "limit": ANY}
    up = {**event(1, "up"), "logStreamName": "all/i-0123abc"}
    no_log(logs, 1)
    logs.add_response("filter_log_events", {"events": [up]}, group)
    no_log(logs, 3)
    watched, lines = endpoint_follower(clients, sagemaker, "Creating", "InService")
    assert watched.outcome(watched.follow())[0] == 0
    assert lines == [f"[{NAME}] Creating", f"[{NAME}] InService", "up"]


def test_an_endpoint_is_followed_until_it_is_deleted(stubbed):
    clients, sagemaker, logs = stubbed
    watched, lines = endpoint_follower(clients, sagemaker, "InService", "InService", "Deleting")
    sagemaker.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
    no_log(logs, 7)
    watched.until = ENDPOINT_ENDED
    assert watched.follow() == {"EndpointStatus": "Deleted"}
    assert lines == [f"[{NAME}] {status}" for status in ("InService", "Deleting", "Deleted")]


def test_a_missing_endpoint_is_an_error(stubbed):
    clients, sagemaker, _ = stubbed
    sagemaker.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
    with pytest.raises(InputError, match="Could not find endpoint"):
        endpoint_follower(clients, sagemaker)[0].follow()


def test_missing_permission_to_read_the_log_is_one_warning(stubbed):
    clients, sagemaker, logs = stubbed
    for _ in range(3):
        describe(sagemaker, "InProgress", "Training", "Training")
    describe(sagemaker, "Completed", "Completed", "Training", "Completed")
    for _ in range(8):
        logs.add_client_error("filter_log_events", "AccessDeniedException", "no")
    watched, lines = follower(clients)
    watched.follow()
    assert sum("cannot read the log" in line for line in lines) == 1


@pytest.mark.parametrize("refused", ["describe_training_job", "filter_log_events"])
def test_credentials_that_expire_while_following_are_an_error_that_says_how_to_resume(refused, stubbed):
    clients, sagemaker, logs = stubbed
    describe(sagemaker, "InProgress", "Training", "Training")
    if refused == "describe_training_job":
        no_log(logs, 1)
    (sagemaker if refused == "describe_training_job" else logs).add_client_error(refused, "ExpiredTokenException")
    with pytest.raises(InputError) as raised:
        follower(clients)[0].follow()
    message = str(raised.value)
    assert "have expired" in message and "same command" not in message
    assert f"{NAME} keeps running; follow it again with: python -m jobs logs {NAME}" in message


def test_a_lack_of_capacity_is_recognised():
    assert lacked_capacity({"FailureReason": "CapacityError: Unable to provision requested ML compute capacity."})
    assert not lacked_capacity({"FailureReason": "AlgorithmError"}) and not lacked_capacity({})
