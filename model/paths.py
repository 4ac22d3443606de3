"""model/paths.py."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError, did_you_mean


def parse_weighted(words: Sequence[str]) -> list[tuple[Path, float]]:
    """PATH[:WEIGHT] ... as paths with their weights (1 where none is given). InputError where a weight is no number."""
    found = []
    for word in words:
        path, colon, weight = word.rpartition(":")
        if not colon or Path(word).exists():
            found.append((Path(word), 1.0))
            continue
        try:
            found.append((Path(path), float(weight)))
        except ValueError:
            near = did_you_mean(word, [entry.name for entry in Path(path).parent.glob("*")])
            raise InputError(f"{word}: the weight {weight!r} behind the colon is no number{near}") from None
    return found


def leaves_folder(path: str) -> bool:
    """Whether a path, as text, is absolute or leads above the folder that it starts from."""
    if path.startswith(("/", "\\\\")) or path[1:3] in (":\\", ":/"):
        return True
    return ".." in path and posixpath.normpath(path).split("/", 1)[0] == ".."
