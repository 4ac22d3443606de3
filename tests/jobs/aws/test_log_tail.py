"""New lines of log streams, with answers of CloudWatch from botocore's Stubber."""

from __future__ import annotations

from jobs.aws.log_tail import OVERLAP_MS, LogTail
from tests.jobs.stubs import FIRST_READ, GROUP, NAME, event, no_log

START = 1_700_000_000_000  # ms since the epoch


def tail(clients):
    return LogTail(clients.logs, GROUP, f"{NAME}/")


def later(newest: int) -> dict[str, object]:
    """Returns the request of a read whose previous read ended with an event ingested at this time."""
    return {**FIRST_READ, "startTime": newest - OVERLAP_MS}


def test_all_streams_are_read_in_one_call_and_lines_begin_with_their_host(stubbed):
    clients, _, logs = stubbed
    events = [event(1, "a\nb"), event(2, "c", host="algo-2", written=START + 1), event(3, " ", written=START + 2)]
    logs.add_response("filter_log_events", {"events": events}, FIRST_READ)
    assert list(tail(clients).lines()) == ["algo-1: a", "algo-1: b", "algo-2: c", "algo-1:  "]
    logs.assert_no_pending_responses()


def test_lines_of_a_single_restarted_host_have_no_prefix(stubbed):
    clients, _, logs = stubbed
    again = {**event(2, "b"), "logStreamName": f"{NAME}/algo-1-2"}
    logs.add_response("filter_log_events", {"events": [event(1, "a"), again]}, FIRST_READ)
    assert list(tail(clients).lines()) == ["a", "b"]


def test_pages_after_an_empty_page_are_read(stubbed):
    clients, _, logs = stubbed
    logs.add_response("filter_log_events", {"events": [event(1, "a")], "nextToken": "t1"}, FIRST_READ)
    logs.add_response("filter_log_events", {"events": [], "nextToken": "t2"}, {**FIRST_READ, "nextToken": "t1"})
    logs.add_response("filter_log_events", {"events": [event(2, "b")]}, {**FIRST_READ, "nextToken": "t2"})
    assert list(tail(clients).lines()) == ["a", "b"]
    logs.assert_no_pending_responses()


def test_no_event_is_lost_or_returned_twice(stubbed):
    """The second read returns events of the first, one with the same timestamp as one of these, and a late one."""
    clients, _, logs = stubbed
    first = [event(1, "a", late=2000), event(2, "b", written=START + 1000)]
    late = event(4, "late", host="algo-2", written=START - 100, late=20_000)
    second = [late, *first, event(3, "same time as b", written=START + 1000)]
    logs.add_response("filter_log_events", {"events": first}, FIRST_READ)
    logs.add_response("filter_log_events", {"events": second}, later(START + 2000))
    logs.add_response("filter_log_events", {"events": second}, later(START + 19_900))
    reader = tail(clients)
    assert list(reader.lines()) == ["a", "b"]
    assert list(reader.lines()) == ["algo-2: late", "algo-1: same time as b"]
    assert list(reader.lines()) == []
    logs.assert_no_pending_responses()


def test_old_events_are_forgotten(stubbed):
    clients, _, logs = stubbed
    old, new = event(1, "a"), event(2, "b", written=START + OVERLAP_MS + 1)
    logs.add_response("filter_log_events", {"events": [old, new]}, FIRST_READ)
    reader = tail(clients)
    assert list(reader.lines()) == ["a", "b"] and list(reader.seen) == ["2"]


def test_a_missing_or_deleted_log_group_has_no_lines(stubbed):
    clients, _, logs = stubbed
    reader = tail(clients)
    no_log(logs, 1)
    assert list(reader.lines()) == []
    logs.add_response("filter_log_events", {"events": [event(1, "a")], "nextToken": "t"}, FIRST_READ)
    no_log(logs, 1)
    assert list(reader.lines()) == ["a"]
