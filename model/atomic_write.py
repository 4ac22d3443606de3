"""Writes files atomically: into a temporary file in the same folder, which is then renamed, so that no reader and no
crash ever sees a half-written file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def write_json(path: Path, content: Any) -> None:
    """Writes indented JSON with non-ASCII text unescaped. ValueError for numbers that JSON does not have (NaN)."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def remove_parts(folder: Path, name: str = "*") -> None:
    """Removes the temporary files that killed writers of the file `name` (default: of any file) left in a folder."""
    for path in folder.glob(f".{name}.*{PART}" if name != "*" else f".*{PART}"):
        path.unlink(missing_ok=True)
