"""stdout and stderr of a job whose reader may exit first, as with `| head`."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _UntilClosed(io.FileIO):
    """Writes to a file descriptor. Once its reader has exited, further output is discarded."""

    def write(self, data: Any, /) -> Any:
        try:
            return super().write(data)
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Lets the process continue if the reader of stdout or stderr exits: further output is discarded, without an
    exception or another exit code.

    Also sets both streams to UTF-8, because class names may be Korean even if the locale is C. Streams that have been
    replaced, as pytest does to capture output, are not changed.
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
