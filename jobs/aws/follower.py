"""Follows a SageMaker job until it ends: prints its status, log lines and metrics, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.aws.calls import NOT_FOUND, Sleep, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import DELETED, ENDED, ENDPOINT, SUCCEEDED, JobKind
from jobs.aws.log_tail import LogTail
from jobs.spec.console import MetricTable, PrintLine
from model.errors import ExitCode, Failure, InputError

POLL_SECONDS = 10.0
FINAL_READS = 3  # of the log after the job's end: its last lines may come late
LAST_LINES = 20  # of the log, repeated where a job failed
STATUS_MESSAGES = {  # by secondary status
    "Interrupted": "the spot instance was taken away; SageMaker waits for another and goes on from the checkpoint",
    "Restarting": "started again, from the checkpoint where there is one",
    "MaxRuntimeExceeded": "stopped: it ran as long as --max_run allows",
    "MaxWaitTimeExceeded": "stopped: waiting for spot capacity and running took longer than --max_wait",
}
START_TIMES = ("TrainingStartTime", "ProcessingStartTime", "TransformStartTime", "CreationTime")
END_TIMES = ("TrainingEndTime", "ProcessingEndTime", "TransformEndTime", "HyperParameterTuningEndTime")


@dataclass
class Follower:
    """Follows one job.

    Attributes:
        kind, name: The job.
        print_line: Prints a line.
        sleep: Waits between two looks at the job.
        logs: Whether to read its log.
        until: The statuses that end following.
        printed_changes: Secondary statuses printed so far.
        status: The status at the last look.
        last_lines: The newest lines of its log, LAST_LINES at most.
        table: Prints the metrics among them.
    """

    clients: Clients
    kind: JobKind
    name: str
    print_line: PrintLine = print
    sleep: Sleep = time.sleep
    logs: bool = True
    until: tuple[str, ...] = ENDED
    printed_changes: int = 0
    status: str = ""
    last_lines: list[str] = field(default_factory=list)
    table: MetricTable = field(default_factory=MetricTable)

    def describe(self) -> dict[str, Any]:
        """The job's description. Raises InputError or Failure where AWS does not answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        method = getattr(self.clients.sagemaker, self.kind.describe_method)
        try:
            request: dict[str, Any] = {self.kind.name_field: self.name}
            return dict(call(method, sleep=self.sleep, print_line=self.print_line, **request))
        except (ClientError, BotoCoreError) as error:
            raise user_error(error, f"{self.kind.name} {self.name}") from error

    def follow(self) -> dict[str, Any]:
        """Prints until the job ends; returns its last description. An endpoint that is deleted meanwhile has ended.

        Raises:
            InputError, Failure: AWS does not answer. The job itself continues.
        """
        tail = self.log_tail()
        try:
            while True:
                description = self.describe_unless_deleted()
                self.print_changes(description)
                self.print_log(tail)
                if self.kind.status(description) in self.until:
                    break
                self.sleep(POLL_SECONDS)
            for _ in range(FINAL_READS if tail else 0):
                self.sleep(POLL_SECONDS / 5)
                self.print_log(tail)
        except (InputError, Failure) as error:
            if error_code(error.__cause__) in NOT_FOUND:
                raise
            message = f"{error}\n{self.name} is not stopped by this; python -m jobs logs {self.name} comes back to it"
            raise type(error)(message) from error
        return description

    def describe_unless_deleted(self) -> dict[str, Any]:
        """As describe; an endpoint that was there at an earlier look and is not any more has the status Deleted."""
        try:
            return self.describe()
        except InputError as error:
            if self.kind is ENDPOINT and self.status and error_code(error.__cause__) in NOT_FOUND:
                return {self.kind.status_field: DELETED}
            raise

    def log_tail(self) -> LogTail | None:
        if not self.logs:
            return None
        if self.kind is ENDPOINT:
            return LogTail(self.clients.logs, f"{self.kind.log_group}/{self.name}", "", self.sleep)
        return LogTail(self.clients.logs, self.kind.log_group, f"{self.name}/", self.sleep)

    def print_log(self, tail: LogTail | None) -> None:
        """Prints new lines. A log that may not be read is a warning, once."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for line in tail.lines() if tail and self.logs else []:
                self.last_lines = [*self.last_lines[-LAST_LINES + 1 :], line]
                for row in self.table.row(line) or [line]:
                    self.print_line(row)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) in ("AccessDeniedException", "AccessDenied"):
                self.print_line(f"warning: the log cannot be read: {user_error(error, 'logs')}")
                self.logs = False
                return
            raise user_error(error, f"log of {self.name}") from error

    def print_changes(self, description: Mapping[str, Any]) -> None:
        """Prints new secondary statuses, or the status where the kind has no secondary ones."""
        changes = description.get("SecondaryStatusTransitions") or []
        for change in changes[self.printed_changes :]:
            secondary = str(change.get("Status", ""))
            message = STATUS_MESSAGES.get(secondary) or change.get("StatusMessage") or ""
            self.print_line(f"[{self.name}] {secondary}{f': {message}' if message else ''}")
        self.printed_changes = max(self.printed_changes, len(changes))
        status = self.kind.status(description)
        if status != self.status and not changes:
            self.print_line(f"[{self.name}] {status}")
        self.status = status

    def outcome(self, description: Mapping[str, Any]) -> tuple[int, list[str]]:
        """The exit code of the ended job, and the lines that say how it ended."""
        return outcome(self.kind, self.name, description, self.last_lines)


def outcome(kind: JobKind, name: str, description: Mapping[str, Any], last_lines: list[str]) -> tuple[int, list[str]]:
    """The exit code of an ended job, and the lines that say how it ended.

    Args:
        last_lines: The end of its log, repeated where it failed.
    """
    status = kind.status(description)
    lines = [f"{kind.name} {name}: {status}"]
    secondary = str(description.get("SecondaryStatus", ""))
    if secondary in STATUS_MESSAGES and secondary != "Restarting":
        lines.append(STATUS_MESSAGES[secondary])
    for reason in ("FailureReason", "ExitMessage"):
        if description.get(reason):
            lines.append(f"{reason}: {description[reason]}")
    if status == "Failed" and last_lines:
        lines += ["the last lines of its log:", *(f"  {line}" for line in last_lines)]
    lines += duration_lines(description)
    return (ExitCode.DONE if status in SUCCEEDED else ExitCode.FAULT), lines


def duration_lines(description: Mapping[str, Any]) -> list[str]:
    """Duration, billable seconds and what spot saved, as far as the description has them."""
    lines = []
    start = next((description[name] for name in START_TIMES if description.get(name)), None)
    end = next((description[name] for name in END_TIMES if description.get(name)), None)
    if start and end:
        lines.append(f"duration: {(end - start).total_seconds():,.0f} s")
    billable, training = description.get("BillableTimeInSeconds"), description.get("TrainingTimeInSeconds")
    if billable is not None:
        saving = f", spot saved {1 - billable / training:.0%}" if training and billable < training else ""
        lines.append(f"billable: {billable:,} s{saving}")
    return lines


def lacked_capacity(description: Mapping[str, Any]) -> bool:
    """Whether a job failed because no machines were free."""
    reason = str(description.get("FailureReason", ""))
    return "CapacityError" in reason or "InsufficientCapacity" in reason
