"""The record of each started job, RESULTS/JOB/job.json, and how a job is found by its name."""

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
JSON_KEYS = {"command": "what", "outputs": "places"}  # in job.json, where they differ from the attributes' names


@dataclass(frozen=True)
class JobRecord:
    """What is known of a started job without asking SageMaker.

    Attributes:
        command: Subcommand that started it: train, deploy, ...
        kind: SageMaker's kind of job: training, processing, transform, tuning, endpoint or pipeline.
        on: here, docker or sagemaker.
        started: ISO 8601, UTC.
        folder: RESULTS/JOB; not in the file.
        outputs: S3 URIs of `model`, `output`, `evaluation`; the ARN of a pipeline's `run`.
        request: The request that was sent.
        region, profile: AWS's, of a job on SageMaker.
        code: Exit code of a job on this machine, None while it runs.
        stopped: Whether a training saved its model and ended with 0 before its last epoch, or an endpoint is deleted.
        restarted_as: Name of the job that was started instead of one that found no machines.
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
        """From job.json. Raises OSError, ValueError or TypeError where the file is no record."""
        content = json.loads(path.read_text(encoding="utf-8"))
        attributes = {key: attribute for attribute, key in JSON_KEYS.items()}
        return cls(**{attributes.get(key, key): value for key, value in content.items()}, folder=path.parent)

    def save(self) -> None:
        """Writes job.json, without secrets in the environment of the request."""
        kept = asdict(self) | {"request": without_secrets(self.request)}
        content = {JSON_KEYS.get(name, name): value for name, value in kept.items() if name != "folder"}
        write_json(self.folder / RECORD, content)

    @property
    def failed(self) -> bool:
        return self.code is not None and self.code not in (ExitCode.DONE, *STOPPED)

    @property
    def state(self) -> str:
        """How a job on this machine stands, in words."""
        if self.code is None:
            return "not done"
        return f"failed with {self.code}" if self.failed else "stopped" if self.code or self.stopped else "done"


def read_record(folder: Path) -> JobRecord | None:
    """The record in RESULTS/JOB, None where there is none that can be read."""
    try:
        return JobRecord.read(folder / RECORD)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def read_records(results: Path, commands: tuple[str, ...] | None = None) -> list[JobRecord]:
    """The records below a folder of results, the oldest first; files that are no record are skipped.

    Args:
        commands: Only jobs that these subcommands started; None for all.
    """
    paths = results.glob(f"*/{RECORD}") if results.is_dir() else []
    records = [record for path in paths if (record := read_record(path.parent)) is not None]
    chosen = [record for record in records if commands is None or record.command in commands]
    return sorted(chosen, key=lambda record: (record.started, record.name))


def find_record(results: Path, name: str, commands: tuple[str, ...] | None = None) -> JobRecord | None:
    """The record of a job by its name, by a beginning that only it has, or `latest` (also ""); None without one.

    A job that was restarted under another name gives the record of the job that replaced it.
    """
    records = read_records(results, commands)
    by_name = {record.name: record for record in records}
    candidates = records[-1:] if name in ("", LATEST) else beginning_with(name, records)
    if name in by_name:
        candidates = [by_name[name]]
    if len(candidates) != 1:
        return None
    record = candidates[0]
    while record.restarted_as in by_name:
        record = by_name[record.restarted_as]
    return record


def beginning_with(name: str, records: Sequence[JobRecord]) -> list[JobRecord]:
    """The records whose names begin so, without jobs that were restarted under another name."""
    return [record for record in records if record.name.startswith(name) and not record.restarted_as]


def required_record(results: Path, name: str) -> JobRecord:
    """As find_record; raises InputError where there is none, or several begin with the name."""
    record = find_record(results, name)
    if record is None:
        records = read_records(results)
        refuse_ambiguous(results, name, records)
        names = [known.name for known in records]
        raise InputError(f"no job {name or LATEST!r} in {results}{did_you_mean(name, names)}")
    return record


def refuse_ambiguous(results: Path, name: str, records: Sequence[JobRecord]) -> None:
    """Raises InputError where several of these records begin with the name."""
    names = [record.name for record in beginning_with(name, records)] if name else []
    if len(names) > 1:
        raise InputError(f"{len(names)} jobs in {results} begin with {name}: {', '.join(names[:12])}")


def utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
