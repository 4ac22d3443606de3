"""Checks of paths that come from outside: whether one leaves its folder, and `PATH:WEIGHT` on the command line.

Imports no torch.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from model.errors import InputError, did_you_mean


def leaves_folder(path: str, *, strict: bool = False) -> bool:
    """Whether a path, as text, is absolute or leads above the folder that it is relative to.

    Args:
        path: With `/` between its parts. The absolute paths of Windows (`C:\\a`, `\\\\host\\a`) are absolute here too.
        strict: For names that files will be written under: members of an archive, keys of S3. True as well where any
            part is `..`, even if the path comes back inside; where the path is empty or holds a NUL; and `\\` counts as
            a separator. A path in a table, which is only read, may go through `..` as long as it stays inside.
    """
    if path.startswith(("/", "\\\\")) or path[1:3] in (":\\", ":/"):
        return True
    if strict:
        return not path or path.startswith("\\") or "\0" in path or ".." in path.replace("\\", "/").split("/")
    return ".." in path and posixpath.normpath(path).split("/", 1)[0] == ".."


def parse_weighted(arguments: Sequence[str]) -> list[tuple[Path, float]]:
    """Parses `PATH[:WEIGHT]` arguments into paths and weights; 1 where no weight is named.

    An argument that is an existing path as a whole is taken as a path. InputError where a weight is not a number.
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
            raise InputError(f"{argument}: the weight {weight!r} behind the colon is no number{near}") from None
    return weighted
