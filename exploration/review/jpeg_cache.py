"""JpegCache: JPEGs that a few threads make when they are asked for, and that are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

CACHE_BYTES = 128 << 20

Key = TypeVar("Key", bound=Hashable)


class JpegCache(Generic[Key]):
    """JPEGs by key.

    Args:
        make: Makes the JPEG of a key; its errors are those of the futures.
        threads: Number of threads that call it.
        cache_bytes: Memory for JPEGs; the longest unused are dropped.
    """

    def __init__(self, make: Callable[[Key], bytes], threads: int, cache_bytes: int = CACHE_BYTES) -> None:
        self._make = make
        self._kept: _BytesCache[Key] = _BytesCache(cache_bytes)
        self._running: dict[Key, Future[bytes]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "jpegs")

    def get(self, key: Key) -> Future[bytes]:
        """A future with the JPEG of a key."""
        with self._lock:
            content = self._kept.get(key)
            if content is not None:
                ready: Future[bytes] = Future()
                ready.set_result(content)
                return ready
            if key not in self._running:  # otherwise another request waits for it already
                self._running[key] = self._pool.submit(self._run, key)
            return self._running[key]

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, key: Key) -> bytes:
        try:
            content = self._make(key)
            with self._lock:
                self._kept.add(key, content)
            return content
        finally:
            with self._lock:
                self._running.pop(key, None)


@dataclass
class _BytesCache(Generic[Key]):
    """The last used contents, up to a number of bytes."""

    most: int

    def __post_init__(self) -> None:
        self.used = 0
        self._contents: OrderedDict[Key, bytes] = OrderedDict()

    def get(self, key: Key) -> bytes | None:
        content = self._contents.get(key)
        if content is not None:
            self._contents.move_to_end(key)
        return content

    def add(self, key: Key, content: bytes) -> None:
        self.used += len(content) - len(self._contents.pop(key, b""))
        self._contents[key] = content
        while self.used > self.most and self._contents:
            self.used -= len(self._contents.popitem(last=False)[1])
