"""Whether what a training job leaves is a model, looked at without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from model.artifacts.files import ENSEMBLE, METRICS, is_ensemble

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
