"""Whether a model that came back is whole: files, safetensors headers, settings and label schemes, without torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.artifacts.files import (
    ENSEMBLE,
    LABELS,
    METRICS,
    NEEDED,
    PREPROCESSING,
    SETTINGS,
    WEIGHTS,
    is_ensemble,
    is_saved_model,
)
from model.artifacts.metadata import read_json, read_records
from model.errors import Failure, InputError, listing
from model.labels import Scheme

LENGTH = 8  # bytes before a safetensors header that tell its own, little-endian
LONGEST = 100_000_000  # bytes that the format allows a header


def model_problem(folder: Path) -> str | None:
    """Why no job could take the model in folder, None where it can be taken."""
    if is_ensemble(folder):
        try:
            members = [folder / member["model"] for member in _object(folder / ENSEMBLE)["members"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{folder / ENSEMBLE} cannot be read: {error}"
        return next((fault for member in members if (fault := model_problem(member))), None)
    if not is_saved_model(folder):
        there = listing(sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else ""
        return f"no model lies in {folder}, which holds {there or 'nothing'}"
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        return f"the model in {folder} lacks {listing(missing)}"
    for name in (LABELS, PREPROCESSING, METRICS):
        try:
            _object(folder / name)
        except (OSError, ValueError) as error:
            return f"{folder / name} cannot be read: {error}"
    return _weights_fault(folder / WEIGHTS)


def _weights_fault(path: Path) -> str | None:
    """Documentation of safetensors, "Format": the header's length, the header as JSON, then the tensors."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(LENGTH), "little")
            header: Any = json.loads(file.read(length)) if length <= LONGEST else None
            size = os.fstat(file.fileno()).st_size
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{path} cannot be read: {type(error).__name__}: {error}"
    expected = LENGTH + length + max(ends, default=0)
    return None if size == expected and ends else f"{path} has {size:,} bytes where its header tells of {expected:,}"


def _object(path: Path) -> dict[str, Any]:
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, not {type(content).__name__}")
    return content


@dataclass(frozen=True)
class Verified:
    """models: saved models in the folder, one where it is no ensemble; finished: whether their run is."""

    folder: Path
    models: int
    classes: int
    backbone: str
    finished: bool

    def __str__(self) -> str:
        of = f"{self.models} models, " if self.models > 1 else ""
        stopped = "" if self.finished else ", of a run that was stopped"
        return f"{of}{self.backbone}, {self.classes} classes{stopped}"


def verify(folder: Path) -> Verified:
    """What the model in folder is. Failure says why no job could take it."""
    fault = model_problem(folder)
    if fault:
        raise Failure(f"what came back is no model: {fault}")
    members = [folder]
    if is_ensemble(folder):
        members = sorted(path.parent for path in folder.rglob(SETTINGS) if is_saved_model(path.parent))
    backbones: set[str] = set()
    finished = True
    for member in members:
        try:
            settings, metrics = read_records(member)
            labels = read_json(member / LABELS)
            scheme = Scheme.from_dict(labels)
        except InputError as error:
            raise Failure(f"what came back is no model: {member}: {error}") from None
        backbones.add(settings.model)
        finished = finished and bool(metrics.get("finished"))
        classes = scheme.num_classes if "channel" not in labels else Scheme.from_dict(labels["channel"]).num_classes
    return Verified(folder, len(members), classes, ", ".join(sorted(backbones)), finished)
