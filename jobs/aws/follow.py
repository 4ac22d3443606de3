"""A job on SageMaker followed to its end: status as it changes, log lines as they come, metrics as a table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.aws.clients import ABSENT, Clients, Sleep, Tell, call, code_of, explained
from jobs.aws.job_kinds import ENDED, ENDPOINT, GOOD, Kind
from jobs.spec.metrics import LAST_LINES, MetricTable
from model.errors import Failure, InputError

POLL = 10.0  # seconds
FLUSHES = 3  # looks at the log after the end: its last lines may come late
SENTENCES = {
    "Interrupted": "the spot instance was taken away; SageMaker waits for another and goes on from the checkpoint",
    "Restarting": "started again, from the checkpoint where there is one",
    "MaxRuntimeExceeded": "stopped: it ran as long as --max_run allows",
    "MaxWaitTimeExceeded": "stopped: waiting for spot capacity and running took longer than --max_wait",
}
STARTS = ("TrainingStartTime", "ProcessingStartTime", "TransformStartTime", "CreationTime")
ENDS = ("TrainingEndTime", "ProcessingEndTime", "TransformEndTime", "HyperParameterTuningEndTime")
WHOLE_LOG = 10_000  # events a page, the most that CloudWatch gives


@dataclass
class LogTail:
    """New lines of all streams of a job. Group and streams do not exist before the first line, and may vanish.

    prefix: of the job's streams in the group; "" where the whole group is the job's, as an endpoint's is.
    """

    logs: Any
    group: str
    prefix: str
    sleep: Sleep = time.sleep
    tokens: dict[str, str] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What has come since the last call; where several machines log, each line begins with the stream's name."""
        self.streams = self._streams() or self.streams
        for stream in self.streams:
            name = stream.removeprefix(self.prefix).rsplit("-", 1)[0] if self.prefix else stream
            lead = f"{name}: " if len(self.streams) > 1 else ""
            for message in self._new(stream):
                for line in message.splitlines() or [""]:
                    yield f"{lead}{line}"

    def _streams(self) -> list[str]:
        found: list[str] = []
        request: dict[str, Any] = {"logGroupName": self.group}
        if self.prefix:  # CloudWatch refuses an empty one
            request["logStreamNamePrefix"] = self.prefix
        while True:
            answer = self._call(self.logs.describe_log_streams, **request)
            if answer is None:
                return found
            found += [stream["logStreamName"] for stream in answer.get("logStreams", [])]
            if not answer.get("nextToken"):
                return sorted(found)
            request["nextToken"] = answer["nextToken"]

    def _new(self, stream: str) -> Iterator[str]:
        """Empty pages may come before more lines; the end is where the token comes back as it was sent (API Reference
        of CloudWatch Logs, GetLogEvents)."""
        while True:
            token = {"nextToken": self.tokens[stream]} if stream in self.tokens else {}
            answer = self._call(
                self.logs.get_log_events,
                logGroupName=self.group,
                logStreamName=stream,
                startFromHead=True,
                limit=WHOLE_LOG,
                **token,
            )
            if answer is None:
                return
            yield from (event["message"] for event in answer["events"])
            following = answer.get("nextForwardToken")
            if following:
                self.tokens[stream] = following
            if not following or following == token.get("nextToken"):
                return

    def _call(self, method: Any, **request: Any) -> Any:
        """None where there is no such group or stream."""
        from botocore.exceptions import ClientError

        try:
            return call(method, sleep=self.sleep, **request)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise


@dataclass
class Follower:
    """Follows one job. tell: where lines go; sleep: between looks."""

    clients: Clients
    kind: Kind
    name: str
    tell: Tell = print
    sleep: Sleep = time.sleep
    logs: bool = True
    told: int = 0
    state: str = ""
    last: list[str] = field(default_factory=list)
    table: MetricTable = field(default_factory=MetricTable)

    def describe(self) -> dict[str, Any]:
        """InputError or Failure where AWS does not answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        method = getattr(self.clients.sagemaker, self.kind.describe)
        try:
            request: dict[str, Any] = {self.kind.name: self.name}
            return dict(call(method, sleep=self.sleep, tell=self.tell, **request))
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"{self.kind.word} {self.name}") from error

    def to_the_end(self) -> dict[str, Any]:
        """The description of the ended job. InputError or Failure where AWS does not answer: the job goes on."""
        tail = self.tail()
        try:
            while True:
                description = self.describe()
                self.tell_changes(description)
                self.tell_log(tail)
                if self.kind.state(description) in ENDED:
                    break
                self.sleep(POLL)
            for _ in range(FLUSHES if tail else 0):
                self.sleep(POLL / 5)
                self.tell_log(tail)
        except (InputError, Failure) as error:
            if code_of(error.__cause__) in ABSENT:
                raise
            told = f"{error}\n{self.name} is not stopped by this; python -m jobs logs {self.name} comes back to it"
            raise type(error)(told) from error
        return description

    def tail(self) -> LogTail | None:
        if not self.logs:
            return None
        if self.kind is ENDPOINT:
            return LogTail(self.clients.logs, f"{self.kind.group}/{self.name}", "", self.sleep)
        return LogTail(self.clients.logs, self.kind.group, f"{self.name}/", self.sleep)

    def tell_log(self, tail: LogTail | None) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for line in tail.lines() if tail and self.logs else []:
                self.last = [*self.last[-LAST_LINES + 1 :], line]
                for row in self.table.row(line) or [line]:
                    self.tell(row)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) in ("AccessDeniedException", "AccessDenied"):
                self.tell(f"warning: the log cannot be read: {explained(error, 'logs')}")
                self.logs = False
                return
            raise explained(error, f"log of {self.name}") from error

    def tell_changes(self, description: Mapping[str, Any]) -> None:
        """The secondary statuses that are new, or the status where there are none."""
        changes = description.get("SecondaryStatusTransitions") or []
        for change in changes[self.told :]:
            status = str(change.get("Status", ""))
            said = SENTENCES.get(status) or change.get("StatusMessage") or ""
            self.tell(f"[{self.name}] {status}{f': {said}' if said else ''}")
        self.told = max(self.told, len(changes))
        state = self.kind.state(description)
        if state != self.state and not changes:
            self.tell(f"[{self.name}] {state}")
        self.state = state


def ending(kind: Kind, name: str, description: Mapping[str, Any], last: list[str]) -> tuple[int, list[str]]:
    """The exit code of an ended job and the lines that tell its end. last: of its log, told again where it failed."""
    state = kind.state(description)
    lines = [f"{kind.word} {name}: {state}"]
    secondary = str(description.get("SecondaryStatus", ""))
    if secondary in SENTENCES and secondary != "Restarting":
        lines.append(SENTENCES[secondary])
    for field_name in ("FailureReason", "ExitMessage"):
        if description.get(field_name):
            lines.append(f"{field_name}: {description[field_name]}")
    if state == "Failed" and last:
        lines += ["the last lines of its log:", *(f"  {line}" for line in last)]
    lines += times(description)
    return (0 if state in GOOD else 1), lines


def times(description: Mapping[str, Any]) -> list[str]:
    """Duration, billable seconds and what spot saved."""
    lines = []
    begin = next((description[key] for key in STARTS if description.get(key)), None)
    end = next((description[key] for key in ENDS if description.get(key)), None)
    if begin and end:
        lines.append(f"duration: {(end - begin).total_seconds():,.0f} s")
    billable, training = description.get("BillableTimeInSeconds"), description.get("TrainingTimeInSeconds")
    if billable is not None:
        saving = f", spot saved {1 - billable / training:.0%}" if training and billable < training else ""
        lines.append(f"billable: {billable:,} s{saving}")
    return lines


def is_capacity(description: Mapping[str, Any]) -> bool:
    """Whether a job failed because there were no machines."""
    reason = str(description.get("FailureReason", ""))
    return "CapacityError" in reason or "InsufficientCapacity" in reason
