"""Workers that read images: their number, and threads that work on items in order. Imports no torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from joblib import cpu_count

MAX_WORKERS = 12  # largest number for num_workers -1
CHUNK = 64  # images per task of a thread, if reading one takes only milliseconds
AHEAD = 4  # items per worker that are in progress, or finished, before they are yielded

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


def in_threads(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    name: str,
    initializer: Callable[[], None] | None = None,
    chunk: int = 1,
) -> Iterator[R]:
    """Yields function(item) of each item, in order. At most AHEAD items, or chunks, per thread are taken in advance.

    An exception of an item is raised in its turn. Afterwards, as when the iterator is closed, no further item starts.

    Args:
        function: What the threads call. PIL, for example, decodes without the GIL.
        items: Iterated in the calling thread.
        workers: Number of threads; 0 calls the function in the calling thread.
        name: Beginning of the names of the threads.
        initializer: Called in each thread before its first item.
        chunk: Items per task of a thread; more than one if an item takes only milliseconds, such as CHUNK.
    """
    if chunk > 1:
        for results in in_threads(
            lambda some: list(map(function, some)), _chunks(items, chunk), workers, name, initializer
        ):
            yield from results
        return
    if not workers:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, name, initializer=initializer)
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
