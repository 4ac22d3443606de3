"""Checks of paths from tables and archives, and parsing of `PATH:WEIGHT` arguments. Imports no torch."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError, did_you_mean


def leaves_folder(path: str, *, strict: bool = False) -> bool:
    """Whether a path is absolute or leads out of the folder that it is relative to.

    Args:
        path: The path, with `/` between its parts. Absolute paths of Windows (`C:\\a`, `\\\\host\\a`) are absolute too.
        strict: For names of files that will be written, such as members of an archive and keys of S3. Then any part
            `..`, an empty path and a NUL character also count as leaving the folder, and `\\` is a separator. Paths in
            tables, which are only read, may contain `..` if they stay inside.
    """
    if path.startswith(("/", "\\\\")) or path[1:3] in (":\\", ":/"):
        return True
    if strict:
        return not path or path.startswith("\\") or "\0" in path or ".." in path.replace("\\", "/").split("/")
    return ".." in path and posixpath.normpath(path).split("/", 1)[0] == ".."


def parse_weighted(arguments: Sequence[str]) -> list[tuple[Path, float]]:
    """Parses `PATH[:WEIGHT]` arguments into paths and weights, which are 1 by default.

    An argument that is an existing path is not split. Raises InputError if a weight is not a number.
    """
    weighted = []
    for argument in arguments:
        path, colon, weight = argument.rpartition(":")
        if not colon or Path(argument).exists():
            weighted.append((Path(argument), 1.0))
            continue
        try:
            weighted.append((Path(path), float(weight)))
        except ValueError:
            near = did_you_mean(argument, [entry.name for entry in Path(path).parent.glob("*")])
            raise InputError(f"{argument}: the weight {weight!r} after the colon is not a number{near}") from None
    return weighted
