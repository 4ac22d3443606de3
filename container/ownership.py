"""Owners of a job's output: what root writes into a mounted folder is given to the folder's owner, so that whoever
started the container can delete it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OwnedFolder:
    """A folder that a job writes into, and whose it is to be.

    Attributes:
        path: The folder, which need not exist yet.
        existing: The folder itself, or the part of its path that existed before the job.
        uid: Owner of `existing`.
        gid: Group of `existing`.
    """

    path: Path
    existing: Path
    uid: int
    gid: int

    @classmethod
    def of(cls, folder: Path) -> OwnedFolder:
        existing = path = folder.absolute()
        while not existing.exists():
            existing = existing.parent
        stat = existing.stat()
        return cls(path, existing, stat.st_uid, stat.st_gid)


def owned_folders(folders: Iterable[Path]) -> list[OwnedFolder]:
    """The folders whose owner is not root; none if this process is not root."""
    if os.geteuid() != 0:
        return []
    owned = [OwnedFolder.of(folder) for folder in folders]
    return [folder for folder in owned if folder.uid != 0]


def hand_over(folders: Iterable[OwnedFolder]) -> None:
    """Gives what belongs to root in the folders to their owners: what this job has written, and what an earlier job
    that was killed could not hand over."""
    for folder in folders:
        created = [path for path in folder.path.parents if folder.existing in path.parents]
        for path in (*created, folder.path, *_below(folder.path)):
            with suppress(OSError):
                if path.lstat().st_uid == 0:
                    os.lchown(path, folder.uid, folder.gid)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))
