"""What was started, by name: RESULTS/JOB/job.json, beside what came back."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model.atomic_write import write_json
from model.errors import ExitCode, InputError, did_you_mean

RECORD = "job.json"
LATEST = "latest"
STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)


@dataclass(frozen=True)
class Record:
    """kind: training, processing, transform, tuning, endpoint or pipeline; on: here, docker or sagemaker; started: ISO
    8601, UTC; places: s3:// places of `model`, `output`, `evaluation`, the ARN of a pipeline's `run`; request: what was
    sent; region, profile: where; code: with which a job on this machine ended, None while it runs; stopped: a training
    that saved its model and ended with 0 before its last epoch; restarted_as: the job that was started in its place,
    where it found no machines."""

    name: str
    what: str
    kind: str
    on: str
    started: str
    folder: Path = Path()
    places: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    profile: str = ""
    code: int | None = None
    stopped: bool = False
    restarted_as: str = ""

    @property
    def failed(self) -> bool:
        return self.code is not None and self.code not in (ExitCode.DONE, *STOPPED)

    @property
    def state(self) -> str:
        """Of a job on this machine."""
        if self.code is None:
            return "not done"
        return f"failed with {self.code}" if self.failed else "stopped" if self.code or self.stopped else "done"

    def save(self) -> None:
        content = asdict(self)
        del content["folder"]
        write_json(self.folder / RECORD, content)


def records(results: Path, made_by: tuple[str, ...] | None = None) -> list[Record]:
    """Every record (of these kinds) below a folder of results, the oldest first; a file that is none is left out."""
    found = []
    for path in results.glob(f"*/{RECORD}") if results.is_dir() else []:
        try:
            found.append(Record(**json.loads(path.read_text(encoding="utf-8")), folder=path.parent))
        except (OSError, ValueError, TypeError):
            continue
    wanted = [record for record in found if made_by is None or record.what in made_by]
    return sorted(wanted, key=lambda record: (record.started, record.name))


def find_record(results: Path, name: str, made_by: tuple[str, ...] | None = None) -> Record | None:
    """The record of a job (of these kinds), `latest` the newest, or the only one that begins with the name. For a job
    that was restarted under another name, the record of the one in its place."""
    known = records(results, made_by)
    by_name = {record.name: record for record in known}
    close = known[-1:] if name in ("", LATEST) else beginning(known, name)
    if name in by_name:
        close = [by_name[name]]
    if len(close) != 1:
        return None
    found = close[0]
    while found.restarted_as in by_name:
        found = by_name[found.restarted_as]
    return found


def beginning(known: Sequence[Record], name: str) -> list[Record]:
    """Those whose names begin so, without those that were restarted under another."""
    return [record for record in known if record.name.startswith(name) and not record.restarted_as]


def required_record(results: Path, name: str) -> Record:
    """As find_record; InputError where there is none, or several begin so."""
    record = find_record(results, name)
    if record is None:
        known = records(results)
        refuse_several(results, name, known)
        names = [record.name for record in known]
        raise InputError(f"no job {name or LATEST!r} in {results}{did_you_mean(name, names)}")
    return record


def refuse_several(results: Path, name: str, known: Sequence[Record]) -> None:
    """InputError where several of these begin with the name."""
    several = [record.name for record in beginning(known, name)] if name else []
    if len(several) > 1:
        raise InputError(f"{len(several)} jobs in {results} begin with {name}: {', '.join(several[:12])}")


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
