"""The number of worker processes or threads that read images. Imports no torch."""

from __future__ import annotations

from joblib import cpu_count

MAX_WORKERS = 12  # largest number for num_workers -1


def worker_count(setting: int, processes: int = 1) -> int:
    """Number of workers that read images.

    Args:
        setting: The setting `num_workers`. For -1, the number follows from the cores that this process may use: its
            affinity and the quota of its control group (`docker run --cpus`).
        processes: Number of processes that share these cores.
    """
    if setting >= 0:
        return setting
    return max(1, min(cpu_count() // processes - 1, MAX_WORKERS))
