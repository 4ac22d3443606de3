"""New lines of a job's CloudWatch log streams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.aws.calls import Sleep, call, error_code

MOST_EVENTS = 10_000  # of a page, CloudWatch's limit


@dataclass
class LogTail:
    """Reads what a job's log streams got since the last read.

    The group and its streams do not exist before the first line, and may be deleted at any time.

    Attributes:
        logs: boto3's client of CloudWatch Logs.
        group: Log group.
        prefix: Beginning of the names of the job's streams; "" where the whole group is the job's, as an endpoint's.
        tokens: By stream, where the next read begins.
    """

    logs: Any
    group: str
    prefix: str
    sleep: Sleep = time.sleep
    tokens: dict[str, str] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The lines since the last call; with several streams each begins with its host's name."""
        self.streams = self._list_streams() or self.streams
        for stream in self.streams:
            host = stream.removeprefix(self.prefix).rsplit("-", 1)[0] if self.prefix else stream
            lead = f"{host}: " if len(self.streams) > 1 else ""
            for message in self._new_messages(stream):
                for line in message.splitlines() or [""]:
                    yield f"{lead}{line}"

    def _list_streams(self) -> list[str]:
        names: list[str] = []
        request: dict[str, Any] = {"logGroupName": self.group}
        if self.prefix:  # CloudWatch refuses an empty one
            request["logStreamNamePrefix"] = self.prefix
        while True:
            answer = self._call(self.logs.describe_log_streams, **request)
            if answer is None:
                return names
            names += [stream["logStreamName"] for stream in answer.get("logStreams", [])]
            if not answer.get("nextToken"):
                return sorted(names)
            request["nextToken"] = answer["nextToken"]

    def _new_messages(self, stream: str) -> Iterator[str]:
        """Reads pages until the token comes back as it was sent: empty pages may come before further lines (CloudWatch
        Logs API Reference, GetLogEvents)."""
        while True:
            token = {"nextToken": self.tokens[stream]} if stream in self.tokens else {}
            answer = self._call(
                self.logs.get_log_events,
                logGroupName=self.group,
                logStreamName=stream,
                startFromHead=True,
                limit=MOST_EVENTS,
                **token,
            )
            if answer is None:
                return
            yield from (event["message"] for event in answer["events"])
            next_token = answer.get("nextForwardToken")
            if next_token:
                self.tokens[stream] = next_token
            if not next_token or next_token == token.get("nextToken"):
                return

    def _call(self, method: Any, **request: Any) -> Any:
        """The answer, None where there is no such group or stream."""
        from botocore.exceptions import ClientError

        try:
            return call(method, sleep=self.sleep, **request)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
