"""MachineLock: a lock that threads of several processes share."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from typing import IO


class MachineLock:
    """A lock of this process's threads; once shared, of the threads of all processes that share it.

    The system frees it when the process that holds it dies (man 2 fcntl, record locks).
    """

    def __init__(self) -> None:
        self.threads = threading.Lock()
        self.file: int | None = None

    def share(self, file: int) -> None:
        """Shares it with the processes that call this with the same open file, which no process may close."""
        self.file = file

    def locked(self) -> bool:
        """Whether a thread of this process holds it."""
        return self.threads.locked()

    def __enter__(self) -> None:
        self.threads.acquire()
        try:
            if self.file is not None:
                fcntl.lockf(self.file, fcntl.LOCK_EX)
        except BaseException:
            self.threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            fcntl.lockf(self.file, fcntl.LOCK_UN)
        self.threads.release()


def lock_file() -> IO[bytes]:
    """An open file by which processes share a lock; in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("rarebird-lock"), "w+b")
    return tempfile.TemporaryFile()


LARGE_PICTURE = MachineLock()  # held while an image is decoded that takes much memory
