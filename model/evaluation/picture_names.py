"""Matches the image names of two tables: by their spelling, else by what else a name may be written as."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.read import DUPLICATE_NAMES
from model.data.readers.channel_files import IMAGES
from model.data.readers.image_names import is_image
from model.errors import Problems, did_you_mean, listing

SAMPLE = 1000  # names among which a message looks for the nearest


@dataclass(frozen=True)
class NameMatch:
    """Rows of a table by image names.

    Attributes:
        rows: int64 (N,), the row of each name, -1 where the table has none.
        respelled: Name and the table's spelling, of those that are spelled in different ways.
        ambiguous: By name, the spellings in the table that fit it, where there are several.
        shared: By spelling in the table, the names that fit it, where there are several.
    """

    rows: np.ndarray
    respelled: list[tuple[str, str]] = field(default_factory=list)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)


def match_names(names: Sequence[str], known: Sequence[str]) -> NameMatch:
    """Finds the row of each name among the names that a table has.

    A name that the table does not have stands for the only one there that differs in `\\` for `/`, in `./`, `/` or
    `images/` at the beginning, or in the extension of an image: in its letter case, or missing in one of the two.

    Args:
        names: To be found, without duplicates.
        known: Names of the table, without duplicates.
    """
    rows = pd.Index(known).get_indexer(pd.Index(names)).astype(np.int64)
    match = NameMatch(rows)
    missing = np.flatnonzero(rows < 0)
    if not len(missing) or not len(known):
        return match
    # By key: the rows of the table. A name with an extension is also known without it, to names that have none.
    whole, stems = _rows_by_key(known)
    names_of_row: dict[int, list[str]] = {row: [name] for row, name in zip(rows.tolist(), names) if row >= 0}
    for position in missing.tolist():
        name = names[position]
        key = picture_key(name)
        stem = posixpath.splitext(key)[0]
        if is_image(key):
            fitting = whole.get(key) or ([] if is_image(stem) else whole.get(stem, []))
        else:
            fitting = whole.get(key) or stems.get(key, [])
        if len(fitting) > 1:
            match.ambiguous[name] = [known[row] for row in fitting]
        elif fitting:
            rows[position] = fitting[0]
            match.respelled.append((name, known[fitting[0]]))
            names_of_row.setdefault(fitting[0], []).append(name)
    match.shared.update({known[row]: own for row, own in names_of_row.items() if len(own) > 1})
    return match


def spelled_as(
    names: Sequence[str], known: Sequence[str], file: Path, problems: Problems, notes: list[str]
) -> list[str]:
    """The names of a table, those that the truth writes in another way in the truth's spelling.

    Args:
        names: Of the truth.
        known: Of the table.
        file: The table, for messages.
        problems: Collects that none of the truth's images is there, names that fit several, and several that fit one.
        notes: Collects how many names are spelled in another way.
    """
    match = match_names(names, known)
    for name, spellings in match.ambiguous.items():
        problems.add("ambiguous image names", f"{file}: {name!r} of the truth fits {listing(spellings)}")
    for spelling, own in match.shared.items():
        problems.add(DUPLICATE_NAMES, f"{file}: {listing(map(repr, own))} of the truth are all {spelling!r}")
    if names and known and (match.rows < 0).all() and not match.ambiguous:
        near = did_you_mean(names[0], known[:SAMPLE])
        detail = f"{file}: none of {listing(names, 2)} is there; its names are {listing(known, 2)}{near}"
        problems.add("no image of the truth", detail)
    if match.respelled:
        table = Path(file.parent.name, file.name)  # notes are passed on: no more of this machine's folders
        name, spelling = match.respelled[0]
        count = f"{len(match.respelled):,} of {len(names):,}"
        notes.append(f"images spelled in another way in {table}: {count} ({name} is {spelling} there)")
    truth_spelling = {spelling: name for name, spelling in match.respelled}
    return [truth_spelling.get(name, name) for name in known]


def picture_key(name: str) -> str:
    """A name without what may differ: `/` for `\\`, no `./` or `images/` before it, a lower-case extension."""
    path = posixpath.normpath(name.replace("\\", "/")).lstrip("/").removeprefix(f"{IMAGES}/")
    stem, suffix = posixpath.splitext(path)
    return stem + suffix.lower() if is_image(path) else path


def _rows_by_key(known: Iterable[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Rows by the key of their name, and by that without the extension of an image."""
    whole: dict[str, list[int]] = {}
    stems: dict[str, list[int]] = {}
    for row, name in enumerate(known):
        key = picture_key(name)
        whole.setdefault(key, []).append(row)
        if is_image(key):
            stems.setdefault(posixpath.splitext(key)[0], []).append(row)
    return whole, stems
