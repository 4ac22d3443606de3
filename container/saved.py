"""Whether what a training job leaves is a model, looked at without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.finding import ENSEMBLE, LABELS, METRICS, NEEDED, PREPROCESSING, WEIGHTS, is_ensemble, is_saved_model
from model.settings import listing

LENGTH = 8  # bytes before a safetensors header that tell its own, little-endian
LONGEST = 100_000_000  # bytes that the format allows a header


Mark = tuple[str, int, int]  # the file that a model is finished with, its mtime in ns and its inode


def marks(folders: Iterable[Path]) -> dict[Path, Mark]:
    """By folder, what tells when its model or ensemble was saved, of those folders that have one. A later one has
    another mark, whatever the clock of the file system says."""
    found = {}
    for folder in folders:
        mark = folder / (ENSEMBLE if is_ensemble(folder) else METRICS)
        if mark.is_file():
            stat = mark.stat()
            found[folder] = (mark.name, stat.st_mtime_ns, stat.st_ino)
    return found


def newest(folders: Iterable[Path], before: Mapping[Path, Mark]) -> Path | None:
    """The model or ensemble that was saved last in one of these folders, None where none was since the marks were
    these before."""
    late = {folder: mark for folder, mark in marks(folders).items() if mark != before.get(folder)}
    return max(late, key=lambda folder: late[folder][1], default=None)


def model_fault(folder: Path) -> str | None:
    """Why no job could take the model in folder, None where it can be taken."""
    if is_ensemble(folder):
        try:
            members = [folder / member["model"] for member in _object(folder / ENSEMBLE)["members"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{folder / ENSEMBLE} cannot be read: {error}"
        return next((fault for member in members if (fault := model_fault(member))), None)
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
