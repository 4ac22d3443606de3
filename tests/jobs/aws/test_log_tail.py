"""New lines of log streams, against answers of CloudWatch that botocore's Stubber checks."""

from __future__ import annotations

from jobs.aws.log_tail import LogTail
from tests.jobs.stubs import (
    ANY_EVENTS,
    ANY_REQUEST,
    NAME,
    no_log,
)


def test_lines_of_several_machines_have_their_names_and_streams_may_vanish(stubbed):
    clients, _, logs = stubbed
    streams = [{"logStreamName": f"{NAME}/algo-{host}-1"} for host in (1, 2)]
    logs.add_response("describe_log_streams", {"logStreams": streams[:1], "nextToken": "n"}, ANY_REQUEST)
    logs.add_response("describe_log_streams", {"logStreams": streams[1:]}, {**ANY_REQUEST, "nextToken": "n"})
    logs.add_response("get_log_events", {"events": [{"message": "a\nb"}], "nextForwardToken": "f/1"}, ANY_EVENTS)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, {**ANY_EVENTS, "nextToken": "f/1"})
    logs.add_client_error("get_log_events", "ResourceNotFoundException")
    tail = LogTail(clients.logs, "/aws/sagemaker/TrainingJobs", f"{NAME}/")
    assert list(tail.lines()) == ["algo-1: a", "algo-1: b"]
    no_log(logs, 1)  # the group is gone; the streams are asked for all the same
    logs.add_response("get_log_events", {"events": [{"message": "c"}], "nextForwardToken": "f/2"},
                      {**ANY_EVENTS, "nextToken": "f/1"})  # fmt: skip
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/2"}, {**ANY_EVENTS, "nextToken": "f/2"})
    logs.add_client_error("get_log_events", "ResourceNotFoundException")
    assert list(tail.lines()) == ["algo-1: c"]


def test_lines_that_come_after_an_empty_page_are_read(stubbed):
    clients, _, logs = stubbed
    logs.add_response("describe_log_streams", {"logStreams": [{"logStreamName": f"{NAME}/algo-1-1"}]}, ANY_REQUEST)
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/1"}, ANY_EVENTS)
    page = {"events": [{"message": "a"}], "nextForwardToken": "f/2"}
    logs.add_response("get_log_events", page, {**ANY_EVENTS, "nextToken": "f/1"})
    logs.add_response("get_log_events", {"events": [], "nextForwardToken": "f/2"}, {**ANY_EVENTS, "nextToken": "f/2"})
    assert list(LogTail(clients.logs, "/aws/sagemaker/TrainingJobs", f"{NAME}/").lines()) == ["a"]
