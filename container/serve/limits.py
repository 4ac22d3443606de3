"""What is held at a time has an end: bytes of bodies, pictures that wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import Failure

MIB = 1 << 20


class NoMemory(Failure):
    """A model needs more memory than there is."""


class Room:
    """Room for so many of something."""

    def __init__(self, size: int):
        self.size, self.taken = size, 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """A part of it that grows as it is taken and is given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.taken -= share.number


class Share:
    def __init__(self, room: Room):
        self.room, self.number = room, 0

    def take(self, number: int) -> bool:
        """False where there is no room for so many more."""
        if self.room.taken + number > self.room.size:
            return False
        self.room.taken += number
        self.number += number
        return True


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, of the machine (Linux: /proc/meminfo) and of its control group (kernel
    documents: cgroup-v2, cgroup-v1/memory), whichever is less; None where neither is told. Files that the kernel keeps
    in memory while nobody else needs it (inactive_file) are free. root: of the file system."""
    told = []
    meminfo = root / "proc" / "meminfo"
    if meminfo.is_file():
        lines = [line.split() for line in meminfo.read_text().splitlines()]
        told += [int(line[1]) * 1024 for line in lines if line[:1] == ["MemAvailable:"]]
    groups = root / "sys" / "fs" / "cgroup"
    for most, used, stat, kept in (
        (groups / "memory.max", groups / "memory.current", groups / "memory.stat", "inactive_file"),
        (
            groups / "memory" / "memory.limit_in_bytes",
            groups / "memory" / "memory.usage_in_bytes",
            groups / "memory" / "memory.stat",
            "total_inactive_file",
        ),
    ):
        if most.is_file() and used.is_file() and most.read_text().strip().isdigit():
            told.append(int(most.read_text()) - int(used.read_text()) + _kept(stat, kept))
    return min(told, default=None)


def _kept(stat: Path, name: str) -> int:
    """Bytes of a line of memory.stat."""
    lines = stat.read_text().splitlines() if stat.is_file() else []
    return sum(int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name)
