"""Finds a job by name: first in the records on this machine, then on SageMaker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.follower import Follower
from jobs.aws.job_kinds import NAMED_KINDS, PIPELINE, RECORDED_KINDS, TUNING, JobKind
from jobs.results.pipeline_run import RUN, PipelineFollower
from jobs.results.tuning_run import TuningFollower
from jobs.spec.command_line import read_flags
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.record import LATEST, find_record, required_record
from jobs.spec.results_folder import ResultsFolder
from model.errors import InputError


@dataclass(frozen=True)
class FoundJob:
    """A job that was started.

    Attributes:
        name: Name of the job.
        command: Subcommand that started it, or SageMaker's kind of job if it was started elsewhere.
        on: here, docker or sagemaker.
        results: Its results folder on this machine.
        kind: SageMaker's kind of job, None for a job on this machine.
        clients: Clients of the AWS account.
        arn: ARN of a pipeline execution, which has no name.
        state: State of a job on this machine: done, stopped, ...
    """

    name: str
    command: str
    on: str
    results: ResultsFolder
    kind: JobKind | None
    clients: Clients
    arn: str = ""
    state: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """The arguments that name the job in calls to SageMaker."""
        assert self.kind is not None
        return {self.kind.name_field: self.arn or self.name}

    def follower(self) -> Follower:
        """Raises InputError for a job on this machine."""
        if self.kind is None:
            raise InputError(f"{self.name} ran on this machine; its results are in {self.results.path}")
        if self.kind is PIPELINE:
            return PipelineFollower(self.clients, self.kind, self.name, arn=self.arn)
        if self.kind is TUNING:
            return TuningFollower(self.clients, self.kind, self.name)
        return Follower(self.clients, self.kind, self.name)


def read_job_name(command: str, argv: Sequence[str], usage: str) -> FoundJob:
    """Returns the job that a subcommand's command line names. Raises InputError if there is none."""
    flags, _ = read_flags(command, argv, usage)
    return find_job(flags)


def find_job(flags: Any) -> FoundJob:
    """Returns the job that flags.job names. Raises InputError if there is none."""
    if len(flags.job) > 1:
        raise InputError(f"expected one job, not {len(flags.job)}: {' '.join(flags.job)}")
    name, results = (flags.job or [LATEST])[0], Path(flags.results)
    record = find_record(results, name)
    if record is not None:
        if record.on == SAGEMAKER and record.kind not in RECORDED_KINDS:
            raise InputError(f"{record.folder}: this version does not support jobs of kind {record.kind!r}")
        return FoundJob(
            name=record.name,
            command=record.command,
            on=record.on,
            results=ResultsFolder(record.folder),
            kind=RECORDED_KINDS[record.kind] if record.on == SAGEMAKER else None,
            clients=Clients(flags.region or record.region, flags.profile or record.profile),
            arn=record.outputs.get(RUN, ""),
            state=record.state,
        )
    clients = Clients(flags.region, flags.profile)
    kind = find_kind(clients, name) if name != LATEST and clients.session.region_name else None
    if kind is None:
        required_record(results, name)
        raise InputError(f"no job {name!r} in {results} or on SageMaker")
    return FoundJob(name, kind.name, SAGEMAKER, ResultsFolder(results / name), kind, clients)


def find_kind(clients: Clients, name: str) -> JobKind | None:
    """Returns the kind of the SageMaker job of this name, None if there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    for kind in NAMED_KINDS.values():
        try:
            request: dict[str, Any] = {kind.name_field: name}
            call(getattr(clients.sagemaker, kind.describe_method), **request)
        except ClientError as error:
            if error_code(error) in NOT_FOUND:
                continue
            raise user_error(error, f"job {name}") from error
        except BotoCoreError as error:
            raise user_error(error, f"job {name}") from error
        return kind
    return None


def newest_jobs(clients: Clients, kinds: list[JobKind], most: int) -> Iterator[dict[str, Any]]:
    """Yields kind, name, status and creation time of the newest SageMaker jobs.

    Args:
        clients: Clients of the AWS account.
        kinds: Kinds of jobs to list.
        most: Number of jobs per kind, at most.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    for kind in kinds:
        try:
            method = getattr(clients.sagemaker, kind.list_method)
            answer = call(method, SortBy="CreationTime", SortOrder="Descending", MaxResults=most)
        except (ClientError, BotoCoreError) as error:
            raise user_error(error, f"list of {kind.name} jobs") from error
        for summary in answer[kind.summaries_field]:
            yield {
                "kind": kind.name,
                "name": summary[kind.name_field],
                "status": summary[kind.status_field],
                "created": summary["CreationTime"],
            }
