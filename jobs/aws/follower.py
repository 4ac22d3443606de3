"""Follows a SageMaker job to its end: prints its status, log lines and metrics, and the outcome."""

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

POLL_SECONDS = 10.0  # between two looks at the job
FINAL_READS = 3  # reads of the log after the job's end: its last lines may be late
LAST_LINES = 20  # lines of the log that are repeated if a job failed
STATUS_MESSAGES = {  # by secondary status
    "Interrupted": "AWS reclaimed the spot instance; the job resumes from its checkpoint on another one",
    "Restarting": "the job restarts, from its checkpoint if there is one",
    "MaxRuntimeExceeded": "stopped: it ran longer than --max_run",
    "MaxWaitTimeExceeded": "stopped: the total time of waiting for spot capacity and of running exceeded --max_wait",
}
START_TIMES = ("TrainingStartTime", "ProcessingStartTime", "TransformStartTime", "CreationTime")
END_TIMES = ("TrainingEndTime", "ProcessingEndTime", "TransformEndTime", "HyperParameterTuningEndTime")


@dataclass
class Follower:
    """Follows one job.

    Attributes:
        clients: Clients of the AWS account.
        kind, name: Kind and name of the job.
        print_line: Prints a line.
        sleep: Waits for a number of seconds.
        logs: Whether to read its log.
        until: Statuses at which following ends.
        printed_changes: Number of secondary statuses printed so far.
        status: The last status.
        last_lines: The last lines of its log, at most LAST_LINES.
        table: Formats the metrics in the log.
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
        """Returns the job's description. Raises InputError or Failure for errors of AWS."""
        from botocore.exceptions import BotoCoreError, ClientError

        method = getattr(self.clients.sagemaker, self.kind.describe_method)
        try:
            request: dict[str, Any] = {self.kind.name_field: self.name}
            return dict(call(method, sleep=self.sleep, print_line=self.print_line, **request))
        except (ClientError, BotoCoreError) as error:
            raise user_error(error, f"{self.kind.name} {self.name}") from error

    def follow(self) -> dict[str, Any]:
        """Prints status and log until the job ends; returns its last description. A deleted endpoint has ended.

        Raises:
            InputError, Failure: AWS cannot be reached. The job itself continues.
        """
        tail = self.log_tail()
        try:
            while True:
                # print what is new, then wait
                description = self.describe_unless_deleted()
                self.print_changes(description)
                self.print_log(tail)
                if self.kind.status(description) in self.until:
                    break
                self.sleep(POLL_SECONDS)
            # the last lines of the log may arrive after the job's end
            for _ in range(FINAL_READS if tail else 0):
                self.sleep(POLL_SECONDS / 5)
                self.print_log(tail)
        except (InputError, Failure) as error:
            if error_code(error.__cause__) in NOT_FOUND:
                raise
            message = f"{error}\n{self.name} keeps running; follow it again with: python -m jobs logs {self.name}"
            raise type(error)(message) from error
        return description

    def describe_unless_deleted(self) -> dict[str, Any]:
        """Returns the job's description. An endpoint that was deleted since the last look has the status Deleted."""
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
        """Prints new lines of the log. Missing permission is a warning, printed once."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for line in tail.lines() if tail and self.logs else []:
                self.last_lines = [*self.last_lines[-LAST_LINES + 1 :], line]
                for row in self.table.row(line) or [line]:
                    self.print_line(row)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) in ("AccessDeniedException", "AccessDenied"):
                self.print_line(f"warning: cannot read the log: {user_error(error, 'logs')}")
                self.logs = False
                return
            raise user_error(error, f"log of {self.name}") from error

    def print_changes(self, description: Mapping[str, Any]) -> None:
        """Prints new secondary statuses; for kinds of jobs without them, a changed status."""
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
        """Returns the exit code of the ended job, and lines that describe the outcome."""
        return outcome(self.kind, self.name, description, self.last_lines)


def outcome(kind: JobKind, name: str, description: Mapping[str, Any], last_lines: list[str]) -> tuple[int, list[str]]:
    """Returns the exit code of an ended job, and lines that describe the outcome.

    Args:
        kind, name: Kind and name of the job.
        description: SageMaker's description of the job.
        last_lines: The last lines of its log, repeated if it failed.
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
        lines += ["last lines of its log:", *(f"  {line}" for line in last_lines)]
    lines += duration_lines(description)
    return (ExitCode.DONE if status in SUCCEEDED else ExitCode.FAULT), lines


def duration_lines(description: Mapping[str, Any]) -> list[str]:
    """Returns lines with duration, billable seconds and spot savings, as far as the description contains them."""
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
