"""Reads new lines from a job's CloudWatch log streams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.aws.calls import Sleep, call, error_code

MOST_EVENTS = 10_000  # per page, CloudWatch's limit
OVERLAP_MS = 300_000  # that a read looks back, since events may arrive this much later than their timestamp


@dataclass
class LogTail:
    """Reads new events from all log streams of a job.

    The group and its streams do not exist before the first line, and may be deleted at any time. CloudWatch selects
    events by the time at which they were written, but ingests them later. A read therefore starts OVERLAP_MS before the
    newest ingested event, and skips the events that it has already returned.

    Attributes:
        logs: boto3's client of CloudWatch Logs.
        group: Log group.
        prefix: Prefix of the names of the job's streams; "" if the whole group belongs to the job (an endpoint).
        sleep: Waits for a number of seconds.
        hosts: The hosts that have written a line.
        newest: When the newest event was ingested, ms since the epoch; None before the first event.
        seen: The events that the next read may return again: the time at which each was written, by its identifier.
    """

    logs: Any
    group: str
    prefix: str
    sleep: Sleep = time.sleep
    hosts: set[str] = field(default_factory=set)
    newest: int | None = None
    seen: dict[str, int] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yields the lines since the last call, by time. If there are several hosts, each line begins with its host."""
        for events in self._new_events():
            self.hosts |= {self._host(event["logStreamName"]) for event in events}
            for event in events:
                lead = f"{self._host(event['logStreamName'])}: " if len(self.hosts) > 1 else ""
                for line in event["message"].splitlines() or [""]:
                    yield f"{lead}{line}"

    def _host(self, stream: str) -> str:
        """Returns the host of a stream: algo-1 for JOB/algo-1-1700000000, the whole name for an endpoint's stream."""
        return stream.removeprefix(self.prefix).rsplit("-", 1)[0] if self.prefix else stream

    def _new_events(self) -> Iterator[list[dict[str, Any]]]:
        """Yields the new events of each page. Only the last page has no token: pages before it may be empty (CloudWatch
        Logs API Reference, FilterLogEvents)."""
        request: dict[str, Any] = {"logGroupName": self.group, "limit": MOST_EVENTS}
        if self.prefix:  # CloudWatch refuses an empty prefix
            request["logStreamNamePrefix"] = self.prefix
        if self.newest is not None:
            request["startTime"] = self._start()
        while True:
            answer = self._filter(**request)
            if answer is None:
                return
            # skip the events that an earlier read has returned
            new = [event for event in answer.get("events", []) if event["eventId"] not in self.seen]
            for event in new:
                self.seen[event["eventId"]] = event["timestamp"]
                self.newest = max(self.newest or 0, event.get("ingestionTime", event["timestamp"]))
            # forget those that are too old to be read again
            self.seen = {name: written for name, written in self.seen.items() if written >= self._start()}
            yield new
            if not answer.get("nextToken"):
                return
            request["nextToken"] = answer["nextToken"]

    def _start(self) -> int:
        """Returns the start time of the next read, ms since the epoch."""
        return max(0, (self.newest or 0) - OVERLAP_MS)

    def _filter(self, **request: Any) -> Any:
        """Reads a page of events; returns None if the group or stream does not exist."""
        from botocore.exceptions import ClientError

        try:
            return call(self.logs.filter_log_events, sleep=self.sleep, **request)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
