"""The workers that read images: their number, and a pass over images in threads. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import cpu_count

MAX_WORKERS = 12  # largest number for num_workers -1
CHUNK = 64  # images per task of a thread, if reading one takes milliseconds

T = TypeVar("T")
R = TypeVar("R")


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


def map_in_threads(function: Callable[[T], R], items: Sequence[T], workers: int, name: str, chunk: int) -> Iterator[R]:
    """Yields the result of a function for each item, in order. PIL decodes images without the GIL.

    If the caller stops early, items that no thread has started are skipped.

    Args:
        function: Called by several threads.
        items: Its arguments, such as rows of a table.
        workers: Number of threads, at least 1 is used.
        name: Prefix of the threads' names.
        chunk: Items per task of a thread.
    """

    def run(some: Sequence[T]) -> list[R]:
        return [function(item) for item in some]

    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix=name)
    try:
        for results in pool.map(run, [items[first : first + chunk] for first in range(0, len(items), chunk)]):
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)
