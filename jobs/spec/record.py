"""Reads, writes and finds the record of each started job, RESULTS/JOB/job.json."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs.spec.redaction import without_secrets
from model.atomic_write import write_json
from model.errors import ExitCode, InputError, did_you_mean

RECORD = "job.json"
LATEST = "latest"
STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
JSON_KEYS = {"command": "what", "outputs": "places"}  # attributes that have another name in job.json


@dataclass(frozen=True)
class JobRecord:
    """What this machine stores about a started job.

    Attributes:
        name: Name of the job.
        command: Subcommand that started it: train, deploy, ...
        kind: SageMaker's kind of job: training, processing, transform, tuning, endpoint or pipeline.
        on: here, docker or sagemaker.
        started: Start time, ISO 8601, UTC.
        folder: RESULTS/JOB; not in the file.
        outputs: S3 URIs of `model`, `output` and `evaluation`; the ARN of a pipeline's `run`.
        request: The request that was sent.
        region, profile: AWS region and profile of a job on SageMaker.
        code: Exit code of a job on this machine, None while it runs.
        stopped: Whether a training was stopped before its last epoch and saved its model, or an endpoint is deleted.
        restarted_as: Name of the job that replaced this one, for which no machines were free.
    """

    name: str
    command: str
    kind: str
    on: str
    started: str
    folder: Path = Path()
    outputs: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    profile: str = ""
    code: int | None = None
    stopped: bool = False
    restarted_as: str = ""

    @classmethod
    def read(cls, path: Path) -> JobRecord:
        """Reads job.json. Raises OSError, ValueError or TypeError if the file is missing or invalid."""
        content = json.loads(path.read_text(encoding="utf-8"))
        attributes = {key: attribute for attribute, key in JSON_KEYS.items()}
        return cls(**{attributes.get(key, key): value for key, value in content.items()}, folder=path.parent)

    def save(self) -> None:
        """Writes job.json, without the secrets in the request's environment variables."""
        kept = asdict(self) | {"request": without_secrets(self.request)}
        content = {JSON_KEYS.get(name, name): value for name, value in kept.items() if name != "folder"}
        write_json(self.folder / RECORD, content)

    @property
    def failed(self) -> bool:
        return self.code is not None and self.code not in (ExitCode.DONE, *STOPPED)

    @property
    def state(self) -> str:
        """The state of a job on this machine, for messages."""
        if self.code is None:
            return "not done"
        if self.failed:
            return f"failed with exit code {self.code}"
        return "stopped" if self.code or self.stopped else "done"


def read_record(folder: Path) -> JobRecord | None:
    """Reads the record in RESULTS/JOB; returns None if it is missing or invalid."""
    try:
        return JobRecord.read(folder / RECORD)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def read_records(results: Path, commands: tuple[str, ...] | None = None) -> list[JobRecord]:
    """Reads the records in a results folder, oldest first; invalid ones are skipped.

    Args:
        results: Folder with the results of all jobs.
        commands: Only jobs that these subcommands started; None for all.
    """
    paths = results.glob(f"*/{RECORD}") if results.is_dir() else []
    records = [record for path in paths if (record := read_record(path.parent)) is not None]
    chosen = [record for record in records if commands is None or record.command in commands]
    return sorted(chosen, key=lambda record: (record.started, record.name))


def find_record(results: Path, name: str, commands: tuple[str, ...] | None = None) -> JobRecord | None:
    """Finds the record of a job. For a job that was restarted, returns the record of the job that replaced it.

    Args:
        results: Folder with the results of all jobs.
        name: The job's name, a start of the name that no other job has, or `latest` (also "").
        commands: Only jobs that these subcommands started; None for all.

    Returns:
        The record, None if no job or several jobs match.
    """
    records = read_records(results, commands)
    by_name = {record.name: record for record in records}
    candidates = records[-1:] if name in ("", LATEST) else starting_with(name, records)
    if name in by_name:
        candidates = [by_name[name]]
    if len(candidates) != 1:
        return None
    record = candidates[0]
    while record.restarted_as in by_name:
        record = by_name[record.restarted_as]
    return record


def starting_with(name: str, records: Sequence[JobRecord]) -> list[JobRecord]:
    """Returns the records whose names start with `name`, without jobs that were replaced by a restarted one."""
    return [record for record in records if record.name.startswith(name) and not record.restarted_as]


def required_record(results: Path, name: str) -> JobRecord:
    """Finds the record of a job like find_record; raises InputError if no job or several jobs match."""
    record = find_record(results, name)
    if record is None:
        records = read_records(results)
        refuse_ambiguous(results, name, records)
        names = [each.name for each in records]
        raise InputError(f"no job {name or LATEST!r} in {results}{did_you_mean(name, names)}")
    return record


def refuse_ambiguous(results: Path, name: str, records: Sequence[JobRecord]) -> None:
    """Raises InputError if a name is ambiguous.

    Args:
        results: Folder with the results of all jobs, for the message.
        name: Start of a job's name.
        records: The records to search.
    """
    names = [record.name for record in starting_with(name, records)] if name else []
    if len(names) > 1:
        raise InputError(
            f"the names of {len(names)} jobs in {results} start with {name}: {', '.join(names[:12])}; use a longer name"
        )


def utc_now() -> str:
    """Returns the current time as ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
