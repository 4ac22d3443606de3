"""New lines of a job's CloudWatch log streams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.aws.calls import Sleep, call, error_code

MOST_EVENTS = 10_000  # of a page, CloudWatch's limit
OVERLAP_MS = 300_000  # that a read looks back: events come up to so much later than their time says


@dataclass
class LogTail:
    """Reads what a job's log streams got since the last read, all streams in one call.

    The group and its streams do not exist before the first line, and may be deleted at any time. CloudWatch selects
    events by the time at which they were written, and adds them a while later. A read therefore begins OVERLAP_MS
    before the newest event that was added, and leaves out the events that it has had by their identifiers.

    Attributes:
        logs: boto3's client of CloudWatch Logs.
        group: Log group.
        prefix: Beginning of the names of the job's streams; "" where the whole group is the job's, as an endpoint's.
        hosts: The hosts that have written a line.
        newest: When the newest event was added, ms since the epoch; None before the first.
        had: The events that the next read may find again: by identifier, when each was written.
    """

    logs: Any
    group: str
    prefix: str
    sleep: Sleep = time.sleep
    hosts: set[str] = field(default_factory=set)
    newest: int | None = None
    had: dict[str, int] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The lines since the last call, by time; with several hosts each begins with its host's name."""
        for events in self._new_events():
            self.hosts |= {self._host(event["logStreamName"]) for event in events}
            for event in events:
                lead = f"{self._host(event['logStreamName'])}: " if len(self.hosts) > 1 else ""
                for line in event["message"].splitlines() or [""]:
                    yield f"{lead}{line}"

    def _host(self, stream: str) -> str:
        """The host of a stream: that of JOB/algo-1-1700000000 is algo-1; of an endpoint the whole name."""
        return stream.removeprefix(self.prefix).rsplit("-", 1)[0] if self.prefix else stream

    def _new_events(self) -> Iterator[list[dict[str, Any]]]:
        """Reads pages to the last, which has no token: empty pages may come before further events (CloudWatch Logs API
        Reference, FilterLogEvents)."""
        request: dict[str, Any] = {"logGroupName": self.group, "limit": MOST_EVENTS}
        if self.prefix:  # CloudWatch refuses an empty one
            request["logStreamNamePrefix"] = self.prefix
        if self.newest is not None:
            request["startTime"] = self._start()
        while True:
            answer = self._filter(**request)
            if answer is None:
                return
            new = [event for event in answer.get("events", []) if event["eventId"] not in self.had]
            for event in new:
                self.had[event["eventId"]] = event["timestamp"]
                self.newest = max(self.newest or 0, event.get("ingestionTime", event["timestamp"]))
            self.had = {name: written for name, written in self.had.items() if written >= self._start()}
            yield new
            if not answer.get("nextToken"):
                return
            request["nextToken"] = answer["nextToken"]

    def _start(self) -> int:
        """Where the next read begins, ms since the epoch."""
        return max(0, (self.newest or 0) - OVERLAP_MS)

    def _filter(self, **request: Any) -> Any:
        """A page of events, None where there is no such group or stream."""
        from botocore.exceptions import ClientError

        try:
            return call(self.logs.filter_log_events, sleep=self.sleep, **request)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
