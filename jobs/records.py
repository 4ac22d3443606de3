"""What was started, by name: RESULTS/JOB/job.json, beside what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model.settings import InputError, did_you_mean
from model.writing import write_json

RECORD = "job.json"
LATEST = "latest"


@dataclass(frozen=True)
class Record:
    """kind: training, processing, transform, tuning, endpoint or pipeline; on: here, docker or sagemaker; started: ISO
    8601, UTC; places: s3:// places of `model`, `output`, `evaluation`, the ARN of a pipeline's `run`; request: what was
    sent; region, profile: where."""

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

    def save(self) -> None:
        content = asdict(self)
        del content["folder"]
        write_json(self.folder / RECORD, content)


def records(results: Path) -> list[Record]:
    """Every record below a folder of results, the oldest first; a file that is none is left out."""
    found = []
    for path in results.glob(f"*/{RECORD}") if results.is_dir() else []:
        try:
            found.append(Record(**json.loads(path.read_text(encoding="utf-8")), folder=path.parent))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda record: record.started)


def find_record(results: Path, name: str, made_by: tuple[str, ...] | None = None) -> Record | None:
    """The record of a job (of these kinds), `latest` the newest, or the only one that begins with the name."""
    known = [record for record in records(results) if made_by is None or record.what in made_by]
    if name in ("", LATEST):
        return known[-1] if known else None
    exact = [record for record in known if record.name == name]
    close = exact or [record for record in known if record.name.startswith(name)]
    return close[0] if len(close) == 1 else None


def required_record(results: Path, name: str) -> Record:
    """As find_record; InputError where there is none, or several begin so."""
    record = find_record(results, name)
    if record is None:
        names = [record.name for record in records(results)]
        several = [known for known in names if name and known.startswith(name)]
        if several:
            raise InputError(f"{len(several)} jobs in {results} begin with {name}: {', '.join(several[:12])}")
        raise InputError(f"no job {name or LATEST!r} in {results}{did_you_mean(name, names)}")
    return record
