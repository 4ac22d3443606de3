"""Calls of AWS: retries and error messages."""

from __future__ import annotations

import pytest

from jobs.aws import calls
from jobs.aws.calls import call, user_error
from jobs.backends.sagemaker import create
from model.errors import Failure, InputError
from tests.jobs.stubs import (
    LEAST,
    describe,
    follower,
    no_log,
)


def test_throttled_calls_are_retried(stubbed):
    clients, sagemaker, logs = stubbed
    for _ in range(calls.ATTEMPTS - 1):
        sagemaker.add_client_error("describe_training_job", "ThrottlingException", "Rate exceeded")
    describe(sagemaker, "Completed", "Completed")
    no_log(logs, 4)
    pauses: list[float] = []
    watched, lines = follower(clients)
    watched.sleep = pauses.append
    watched.follow()
    assert len(pauses) >= calls.ATTEMPTS - 1 and max(pauses) <= calls.LONGEST_PAUSE
    assert sum("retrying in" in line for line in lines) == calls.ATTEMPTS - 1
    for first, later in zip(range(3), range(3, 6)):
        assert pauses[later] > pauses[first]


def test_permanent_throttling_is_a_failure(stubbed):
    clients, sagemaker, _ = stubbed
    for _ in range(calls.ATTEMPTS):
        sagemaker.add_client_error("describe_training_job", "ThrottlingException", "Rate exceeded")
    with pytest.raises(Failure, match="still throttles"):
        follower(clients)[0].describe()


@pytest.mark.parametrize(
    ("code", "aws_message", "message"),
    [
        ("ExpiredTokenException", "The security token is expired", "have expired"),
        ("UnrecognizedClientException", "bad", "invalid AWS credentials"),
        ("AccessDeniedException", "not authorized to perform: sagemaker:CreateTrainingJob", "access denied"),
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.g5.xlarge for training job usage' is 0 Instances, with current "
            "utilization of 0 Instances and a request delta of 1 Instances.",
            "the quota 'ml.g5.xlarge for training job usage' is 0; request an increase in Service Quotas",
        ),
        ("ResourceInUse", "Training job names must be unique", "the name is already in use"),
        ("ValidationException", "RoleArn: no such role", "RoleArn: no such role"),
    ],
)
def test_permanent_errors_say_what_to_do_and_are_not_retried(code, aws_message, message, stubbed):
    clients, sagemaker, _ = stubbed
    sagemaker.add_client_error("create_training_job", code, aws_message)
    with pytest.raises(InputError, match=message):
        create(clients, "create_training_job", LEAST, print)
    sagemaker.assert_no_pending_responses()


def test_a_broken_connection_is_retried():
    from botocore.exceptions import EndpointConnectionError

    attempts = []

    def method() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise EndpointConnectionError(endpoint_url="https://x")
        return "answer"

    assert call(method, sleep=lambda _: None) == "answer"
    assert isinstance(user_error(EndpointConnectionError(endpoint_url="https://x"), "x"), Failure)
