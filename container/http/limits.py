"""Limits of what a server holds at a time, such as bytes of bodies, and the memory that is free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1 << 20


class Capacity:
    """An amount that requests share, such as bytes of bodies."""

    def __init__(self, size: int):
        self.size, self.used = size, 0

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """A request's share, empty at first; what it has taken is given back at the end."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.used -= reservation.amount


class Reservation:
    def __init__(self, capacity: Capacity):
        self.capacity, self.amount = capacity, 0

    def add(self, amount: int) -> bool:
        """Takes more of the capacity; False, and takes nothing, if so much is not left."""
        if self.capacity.used + amount > self.capacity.size:
            return False
        self.capacity.used += amount
        self.amount += amount
        return True


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, None if neither source says.

    The lesser of what the machine has (Linux: /proc/meminfo) and what the control group allows (kernel documentation:
    cgroup-v2, cgroup-v1/memory). Files that the kernel caches until the memory is needed (inactive_file) are free.

    Args:
        root: The root of the file system.
    """
    amounts = []
    meminfo = root / "proc" / "meminfo"
    if meminfo.is_file():
        lines = [line.split() for line in meminfo.read_text().splitlines()]
        amounts += [int(line[1]) * 1024 for line in lines if line[:1] == ["MemAvailable:"]]
    groups = root / "sys" / "fs" / "cgroup"
    for limit, usage, stat, cached in (
        (groups / "memory.max", groups / "memory.current", groups / "memory.stat", "inactive_file"),
        (
            groups / "memory" / "memory.limit_in_bytes",
            groups / "memory" / "memory.usage_in_bytes",
            groups / "memory" / "memory.stat",
            "total_inactive_file",
        ),
    ):
        if limit.is_file() and usage.is_file() and limit.read_text().strip().isdigit():
            amounts.append(int(limit.read_text()) - int(usage.read_text()) + _memory_stat(stat, cached))
    return min(amounts, default=None)


def _memory_stat(stat: Path, name: str) -> int:
    """Bytes of an entry of memory.stat, 0 without one."""
    lines = stat.read_text().splitlines() if stat.is_file() else []
    return sum(int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name)
