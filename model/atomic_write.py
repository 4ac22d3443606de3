"""Writes files atomically: into a temporary file in the same folder, which is then renamed, so that no reader and no
crash ever sees a half-written file."""

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

    When the block ends, the file is synced to disk and replaces `path`; if the block raises, it is removed and `path`
    stays as it was. Missing folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield beside
        beside.chmod(0o666 & ~UMASK)  # safetensors and tempfile create files for their owner alone
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8."""
    with write_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


class LineFeeds(io.TextIOBase):
    """Takes the rows of a csv writer, which must end them with "\\r\\n", and ends them with "\\n".

    A writer that itself ends rows with "\\n" does not quote a lone carriage return before Python 3.11.9 and 3.12.3
    (CPython issue 67044), and readers see a broken row.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


@contextmanager
def write_csv(path: Path, encoding: str = "utf-8") -> Iterator[Any]:
    """Yields a csv writer of a file that appears under its name when the block ends."""
    with write_beside(path) as beside, open(beside, "w", encoding=encoding, newline="") as file:
        yield csv.writer(LineFeeds(file), lineterminator="\r\n")


def write_frame(path: Path, frame: Any) -> None:
    """Writes a pandas.DataFrame as CSV, without its index."""
    with write_beside(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        frame.to_csv(LineFeeds(file), index=False, lineterminator="\r\n")


def write_json(path: Path, content: Any) -> None:
    """Writes indented JSON with non-ASCII text unescaped. ValueError for numbers that JSON does not have (NaN)."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def remove_parts(folder: Path, name: str = "*") -> None:
    """Removes the temporary files that killed writers of the file `name` (default: of any file) left in a folder."""
    for path in folder.glob(f".{name}.*{PART}" if name != "*" else f".*{PART}"):
        path.unlink(missing_ok=True)
