"""Owners of a job's output. Files that root writes into a mounted folder are given to the owner of the folder, so that
the user who started the container can delete them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OwnedFolder:
    """A folder that a job writes into, and the owner that its content will get.

    Attributes:
        path: The folder, which need not exist yet.
        existing: The folder, or its nearest parent that existed before the job.
        uid: Owner of `existing`.
        gid: Group of `existing`.
    """

    path: Path
    existing: Path
    uid: int
    gid: int

    @classmethod
    def from_path(cls, folder: Path) -> OwnedFolder:
        """The folder with its owner, or the owner of its nearest existing parent."""
        existing = path = folder.absolute()
        while not existing.exists():
            existing = existing.parent
        stat = existing.stat()
        return cls(path, existing, stat.st_uid, stat.st_gid)


def owned_folders(folders: Iterable[Path]) -> list[OwnedFolder]:
    """Those folders whose owner is not root; [] if this process is not run by root."""
    if os.geteuid() != 0:
        return []
    owned = [OwnedFolder.from_path(folder) for folder in folders]
    return [folder for folder in owned if folder.uid != 0]


def hand_over(folders: Iterable[OwnedFolder]) -> None:
    """Gives root's files in the folders to the owners of the folders: the files of this job, and those that an earlier
    job left when it was killed."""
    for folder in folders:
        created = [path for path in folder.path.parents if folder.existing in path.parents]
        for path in (*created, folder.path, *_below(folder.path)):
            with suppress(OSError):
                if path.lstat().st_uid == 0:
                    os.lchown(path, folder.uid, folder.gid)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))
