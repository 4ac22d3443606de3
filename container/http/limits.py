"""Limits of what a server keeps in memory at a time, such as bytes of bodies; and the free memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1 << 20


class Capacity:
    """An amount that all requests share, such as bytes of bodies."""

    def __init__(self, size: int):
        self.size, self.used = size, 0

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """The share of one request, empty at first. It is released when the context ends."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.used -= reservation.amount


class Reservation:
    """The share of one request in a capacity."""

    def __init__(self, capacity: Capacity):
        self.capacity, self.amount = capacity, 0

    def add(self, amount: int) -> bool:
        """Takes more of the capacity. Returns False and takes nothing if less than that amount is left."""
        if self.capacity.used + amount > self.capacity.size:
            return False
        self.capacity.used += amount
        self.amount += amount
        return True


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process can still allocate, None if they are not known.

    The smaller of the machine's free memory (Linux: /proc/meminfo) and what the control group still allows (kernel
    documentation: cgroup-v2, cgroup-v1/memory). Files that the kernel caches only until the memory is needed
    (inactive_file) count as free.

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
    """An entry of memory.stat in bytes, 0 if it is missing."""
    lines = stat.read_text().splitlines() if stat.is_file() else []
    return sum(int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name)
