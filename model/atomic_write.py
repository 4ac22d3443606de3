"""Writes files atomically: into a temporary file in the same folder, which is then renamed.

Thus there is never a half-written file, even after a crash.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

PART = ".part"  # extension of the temporary files
UMASK = os.umask(0)  # the mask can only be read by setting it
os.umask(UMASK)


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder to write to.

    When the block ends, the file is synced to disk and replaces `path`. If the block raises, the file is removed and
    `path` is unchanged. Missing folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield partial
        partial.chmod(0o666 & ~UMASK)  # safetensors and tempfile create files that only their owner can read
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8."""
    with write_beside(path) as partial:
        partial.write_text(text, encoding="utf-8")


class LineFeeds(io.TextIOBase):
    """A file for a csv writer whose line terminator is "\\r\\n"; writes "\\n" instead.

    Before Python 3.11.9 and 3.12.3, a csv writer with the line terminator "\\n" does not quote a lone carriage return
    (CPython issue 67044), which results in an invalid row.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


@contextmanager
def write_csv(path: Path, encoding: str = "utf-8") -> Iterator[Any]:
    """Yields a csv writer for a file that replaces `path` when the block ends."""
    with write_beside(path) as partial, open(partial, "w", encoding=encoding, newline="") as file:
        yield csv.writer(LineFeeds(file), lineterminator="\r\n")


def write_frame(path: Path, frame: Any) -> None:
    """Writes a pandas.DataFrame as CSV, without its index."""
    with write_beside(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        frame.to_csv(LineFeeds(file), index=False, lineterminator="\r\n")


def write_json(path: Path, content: Any) -> None:
    """Writes indented JSON with non-ASCII text unescaped. Raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def json_text(content: Any) -> str:
    """JSON with sorted keys in one line: equal contents have equal texts, so that they can be hashed."""
    return json.dumps(content, sort_keys=True, allow_nan=False)


def remove_parts(folder: Path, name: str = "*") -> None:
    """Removes the temporary files of killed processes from a folder. name: only those of this file; default: all."""
    for path in folder.glob(f".{name}.*{PART}" if name != "*" else f".*{PART}"):
        path.unlink(missing_ok=True)
