"""stdout and stderr of a job whose reader may go away first, as with `| head`."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _UntilClosed(io.FileIO):
    """Writes to a file descriptor; once its reader has gone, whatever is written to the descriptor is discarded."""

    def write(self, data: Any, /) -> Any:
        try:
            return super().write(data)
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Lets the process finish its work when the reader of stdout or stderr has gone: the rest of its output is
    discarded, without an exception or a changed exit code.

    The streams become UTF-8 too, because class names may be Korean where the locale is C. Streams that are no longer
    the process's own, as under a test's capture, are left alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
            continue
        stream.flush()
        raw = io.BufferedWriter(_UntilClosed(stream.fileno(), "w", closefd=False))
        setattr(
            sys,
            name,
            io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True),
        )
