"""Files are written beside their place and renamed into it, so that nothing is ever half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART = ".part"
UMASK = os.umask(0)
os.umask(UMASK)


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A path in the same folder to write to; it takes path's name when the block ends, and is gone where it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield beside
        beside.chmod(0o666 & ~UMASK)  # safetensors and tempfile make files for their owner alone
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with write_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Readable JSON; names as they are, not escaped. ValueError for numbers that JSON does not have."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def remove_parts(folder: Path, name: str = "*") -> None:
    """Removes what a writer of a file (any, where none is named) that was killed has left."""
    for path in folder.glob(f".{name}.*{PART}" if name != "*" else f".*{PART}"):
        path.unlink(missing_ok=True)
