"""Matches the image names of two tables: by equal spelling, otherwise by the usual other spellings of a name."""

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

SAMPLE = 1000  # names that are searched for the nearest one, for a message


@dataclass(frozen=True)
class NameMatch:
    """Rows of a table by image names.

    Attributes:
        rows: int64 (N,), the row of each name, -1 if the table does not have it.
        respelled: Pairs of a name and its spelling in the table, if they differ.
        ambiguous: Several spellings in the table that match one name, by name.
        shared: Several names that match one spelling in the table, by spelling.
    """

    rows: np.ndarray
    respelled: list[tuple[str, str]] = field(default_factory=list)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)


def match_names(names: Sequence[str], known: Sequence[str]) -> NameMatch:
    """Finds the row of each name in a table.

    A name that is not in the table matches the only name there that differs in `\\` for `/`, in `./`, `/` or `images/`
    at the beginning, or in the extension of the image: its letter case, or missing on one side.

    Args:
        names: Names to find, without duplicates.
        known: Names in the table, without duplicates.
    """
    rows = pd.Index(known).get_indexer(pd.Index(names)).astype(np.int64)
    match = NameMatch(rows)
    missing = np.flatnonzero(rows < 0)
    if not len(missing) or not len(known):
        return match
    # rows of the table by normalised name, and by that without its extension, for names that have none
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
    """The names of a table, spelled as in the true labels.

    Args:
        names: Names in the true labels.
        known: Names in the table.
        file: The table, for messages.
        problems: Collects that no image is in the table, names with several matches, and several names with one match.
        notes: Collects how many names are spelled differently.
    """
    match = match_names(names, known)
    for name, spellings in match.ambiguous.items():
        detail = f"{file}: the image name {name!r} in the true labels matches several names: {listing(spellings)}"
        problems.add("ambiguous image names", detail)
    for spelling, own in match.shared.items():
        several = f"several image names in the true labels ({listing(map(repr, own))})"
        problems.add(DUPLICATE_NAMES, f"{file}: {several} match the same name {spelling!r}")
    if names and known and (match.rows < 0).all() and not match.ambiguous:
        near = did_you_mean(names[0], known[:SAMPLE])
        detail = f"{file}: expected image names such as {listing(names, 2)}, found {listing(known, 2)}{near}"
        problems.add("none of the images in the true labels was found", detail)
    if match.respelled:
        table = Path(
            file.parent.name, file.name
        )  # notes may be shared, so they do not name the other folders of this machine
        name, spelling = match.respelled[0]
        count = f"{len(match.respelled):,} of {len(names):,}"
        notes.append(f"image names spelled differently in {table}: {count} ({name} is {spelling} there)")
    truth_spelling = {spelling: name for name, spelling in match.respelled}
    return [truth_spelling.get(name, name) for name in known]


def picture_key(name: str) -> str:
    """A normalised name: `/` for `\\`, no `./` or `images/` at the beginning, a lower-case extension."""
    path = posixpath.normpath(name.replace("\\", "/")).lstrip("/").removeprefix(f"{IMAGES}/")
    stem, suffix = posixpath.splitext(path)
    return stem + suffix.lower() if is_image(path) else path


def _rows_by_key(known: Iterable[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Rows by the normalised name, and by that without the extension of an image."""
    whole: dict[str, list[int]] = {}
    stems: dict[str, list[int]] = {}
    for row, name in enumerate(known):
        key = picture_key(name)
        whole.setdefault(key, []).append(row)
        if is_image(key):
            stems.setdefault(posixpath.splitext(key)[0], []).append(row)
    return whole, stems
