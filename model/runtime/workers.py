"""The number of worker processes or threads that read images. Imports no torch."""

from __future__ import annotations

from joblib import cpu_count

MAX_WORKERS = 12  # that num_workers -1 starts


def worker_count(setting: int, processes: int = 1) -> int:
    """Number of workers that read images: as set, or by the number of cores that this process may use (its affinity
    and the quota of its control group, as of `docker run --cpus`). processes: number of processes that share them."""
    if setting >= 0:
        return setting
    return max(1, min(cpu_count() // processes - 1, MAX_WORKERS))
