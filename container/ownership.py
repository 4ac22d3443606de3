"""What a job running as root writes into a mounted folder belongs to the folder's owner, so that whoever started the
container can delete it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A folder that a job writes into, or the part of its path that was there before. uid, gid: its owner."""

    path: Path
    uid: int
    gid: int

    @classmethod
    def of(cls, folder: Path) -> Place:
        path = folder.absolute()
        while not path.exists():
            path = path.parent
        stat = path.stat()
        return cls(path, stat.st_uid, stat.st_gid)


def places(folders: Iterable[Path]) -> list[tuple[Path, Place]]:
    """The folders, each with the place whose owner it shall have; none where this process is not root, or where the
    owner is root anyway."""
    if os.geteuid() != 0:
        return []
    found = [(folder.absolute(), Place.of(folder)) for folder in folders]
    return [(folder, place) for folder, place in found if place.uid != 0]


def hand_over(kept: Iterable[tuple[Path, Place]]) -> None:
    """Gives what belongs to root below the folders to their owners: what this job has written, and what an earlier one
    that was killed could not hand over."""
    for folder, place in kept:
        made = [path for path in folder.parents if place.path in path.parents]
        for path in (*made, folder, *_below(folder)):
            with suppress(OSError):
                if path.lstat().st_uid == 0:
                    os.lchown(path, place.uid, place.gid)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))
