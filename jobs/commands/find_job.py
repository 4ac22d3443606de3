"""A job by its name: from its record here, else as SageMaker knows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.aws.clients import ABSENT, Clients, call, code_of, explained
from jobs.aws.follow import Follower
from jobs.aws.job_kinds import KINDS, PIPELINE, RECORDED, Kind
from jobs.results.pipeline_run import RUN, RunFollower
from jobs.spec.flags import SAGEMAKER, AccountFlags
from jobs.spec.record import LATEST, find_record, required_record
from model.errors import InputError
from model.settings.fields import setting


@dataclass(frozen=True)
class NamedFlags(AccountFlags):
    job: list[str] = setting([], "its name, the beginning of it, or latest (default)", section="Job", positional=True)


@dataclass(frozen=True)
class Named:
    """folder: of its results; kind: None where it ran on this machine; state: of such a job."""

    name: str
    what: str
    on: str
    folder: Path
    kind: Kind | None
    clients: Clients
    arn: str = ""  # of a pipeline's run, which has no name
    state: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """What the kind's calls are given."""
        assert self.kind is not None
        return {self.kind.name: self.arn or self.name}

    def follower(self) -> Follower:
        """InputError where the job ran on this machine."""
        if self.kind is None:
            raise InputError(f"{self.name} ran on this machine; its folder is {self.folder}")
        if self.kind is PIPELINE:
            return RunFollower(self.clients, self.kind, self.name, arn=self.arn)
        return Follower(self.clients, self.kind, self.name)


def find_job(flags: Any, clients: Clients | None = None) -> Named:
    """The job that a command's words mean. InputError where there is none."""
    if len(flags.job) > 1:
        raise InputError(f"one job at a time, not {len(flags.job)}: {' '.join(flags.job)}")
    name, results = (flags.job or [LATEST])[0], Path(flags.results)
    record = find_record(results, name)
    if record is not None:
        found = clients or Clients(flags.region or record.region, flags.profile or record.profile)
        kind = RECORDED[record.kind] if record.on == SAGEMAKER else None
        arn = record.places.get(RUN, "")
        return Named(record.name, record.what, record.on, record.folder, kind, found, arn, record.state)
    found = clients or Clients(flags.region, flags.profile)
    kind = kind_of(found, name) if name != LATEST and found.session.region_name else None
    if kind is None:
        required_record(results, name)
        raise InputError(f"no job {name!r} in {results}")
    return Named(name, kind.word, SAGEMAKER, results / name, kind, found)


def kind_of(clients: Clients, name: str) -> Kind | None:
    """What SageMaker knows by this name, which was started elsewhere."""
    from botocore.exceptions import BotoCoreError, ClientError

    for kind in KINDS.values():
        try:
            request: dict[str, Any] = {kind.name: name}
            call(getattr(clients.sagemaker, kind.describe), **request)
        except ClientError as error:
            if code_of(error) in ABSENT:
                continue
            raise explained(error, f"job {name}") from error
        except BotoCoreError as error:
            raise explained(error, f"job {name}") from error
        return kind
    return None


def newest_jobs(clients: Clients, kinds: list[Kind], most: int) -> Iterator[dict[str, Any]]:
    """What SageMaker lists of each kind, the newest first."""
    from botocore.exceptions import BotoCoreError, ClientError

    for kind in kinds:
        try:
            answer = call(
                getattr(clients.sagemaker, kind.listing), SortBy="CreationTime", SortOrder="Descending", MaxResults=most
            )
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"list of {kind.word} jobs") from error
        for summary in answer[kind.summaries]:
            yield {
                "kind": kind.word,
                "name": summary[kind.name],
                "status": summary[kind.status],
                "created": summary["CreationTime"],
            }
