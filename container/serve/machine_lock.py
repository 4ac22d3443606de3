"""MachineLock: a lock for threads of several processes."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from typing import IO


class MachineLock:
    """A lock for the threads of this process. After share(), a lock for the threads of all processes that share it.

    The system releases it when the process that holds it dies (man 2 fcntl, record locks).
    """

    def __init__(self) -> None:
        self.threads = threading.Lock()
        self.file: int | None = None

    def share(self, file: int) -> None:
        """Shares the lock with all processes that call this with the same open file, which none of them may close."""
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
    """An open file for MachineLock.share, in memory if the system supports such files."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("rarebird-lock"), "w+b")
    return tempfile.TemporaryFile()


LARGE_IMAGE = MachineLock()  # held while an image that needs much memory is decoded
