"""Suspects: labels that are probably wrong, and suspects.csv, which lists them in the order to review."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.atomic_write import write_csv
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing, nearest_path

SUSPECTS_CSV = "suspects.csv"
SUSPECT_COLUMNS = ("path", "group", "attribute", "level", "given", "suggested", "score", "reason", "neighbours")
IMAGE, GROUP = "image", "group"  # levels
MOST_NEIGHBOURS = 5  # of a suspect
FOREIGN_IMAGES = "images that are not in the channel"  # a kind of problems
MOST_COMPARED = 10_000  # paths among which the nearest name is searched
EVALUATION_COLUMN = "predicted"  # of the suspects.csv that evaluation.py writes


@dataclass(frozen=True)
class Suspect:
    """A label that is probably wrong.

    Attributes:
        rows: Rows of the table whose label is doubted, the most suspicious first: one, or all rows of a group.
        level: IMAGE or GROUP.
        attribute: Name of the attribute.
        given: The label; the number as text for an attribute with numbers.
        suggested: The label that is probably right.
        score: Estimated probability that the label is wrong; comparable between attributes.
        reason: One sentence.
        neighbours: Rows of the most similar images of other groups, the nearest first, at most MOST_NEIGHBOURS.
        line: Line of the file, from 1; 0 if it was not read from a file.
    """

    rows: tuple[int, ...]
    level: str
    attribute: str
    given: str
    suggested: str
    score: float
    reason: str
    neighbours: tuple[int, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass
class _Rows:
    """Rows of a table by path, and by group; built once per file."""

    table: Table
    by_path: dict[str, int] = field(default_factory=dict)
    by_group: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_path = {path: row for row, path in enumerate(self.table.locations.paths)}
        for row, group in enumerate(self.table.groups.tolist()):
            self.by_group.setdefault(group, []).append(row)

    def of(self, text: Mapping[str, str]) -> tuple[int, ...] | None:
        """The rows of a suspect, as in Suspect.rows; None if the table has none of its images.

        Of a group, the image that the file names may be missing.

        Args:
            text: Path, group and level of the suspect.
        """
        row = self.by_path.get(text["path"])
        if text["level"] != GROUP:
            return None if row is None else (row,)
        group = text["group"] if row is None else str(self.table.groups[row])
        if row is None and (group not in self.by_group or not self.table.grouped_by):
            return None
        others = [other for other in self.by_group[group] if other != row]
        return tuple(others if row is None else [row, *others])


def label_texts(table: Table, attribute: str) -> list[str]:
    """The labels of an attribute as text: the number where there is one, otherwise the name of the class; "" without.

    Args:
        table: The table.
        attribute: Name of an attribute of its scheme.
    """
    values = np.array([*table.scheme.attribute(attribute).values, ""], dtype=object)
    texts = values[np.maximum(table.labels[attribute].to_numpy(), -1)].tolist()
    if attribute in table.numbers:
        for row, number in enumerate(table.numbers[attribute].tolist()):
            if number == number:  # not NaN
                texts[row] = f"{number:.12g}"
    return texts


def write_suspects(path: Path, table: Table, suspects: Sequence[Suspect]) -> None:
    """Writes suspects.csv.

    Args:
        path: The file.
        table: The channel that the rows of the suspects refer to.
        suspects: The suspects in the order to review.
    """
    paths, texts = table.locations.paths, {name: label_texts(table, name) for name in table.scheme.names}
    with write_csv(path) as writer:
        writer.writerow(SUSPECT_COLUMNS)
        for suspect in suspects:
            row = suspect.rows[0]
            group = str(table.groups[row]) if table.grouped_by else ""
            neighbours = [[paths[near], texts[suspect.attribute][near]] for near in suspect.neighbours]
            labels = (suspect.attribute, suspect.level, suspect.given, suspect.suggested)
            evidence = (f"{suspect.score:.6f}", suspect.reason, json.dumps(neighbours, ensure_ascii=False))
            writer.writerow([paths[row], group, *labels, *evidence])


def read_suspects(path: Path, table: Table, skip_missing: bool = False) -> list[Suspect]:
    """Reads suspects.csv for a table, whose rows may be in another order than when the file was written.

    Args:
        path: The file.
        table: The channel.
        skip_missing: Whether suspects whose images the table does not have are left out, as corrections may have
            deleted them; otherwise they are errors.

    Returns:
        The suspects in the order of the file. Neighbours that are not in the channel are left out.

    Raises:
        InputError: The file is missing or invalid, or names images or attributes that the channel does not have; lists
            all problems.
    """
    problems = Problems(str(path))
    suspects = collect_suspects(path, table, problems, skip_missing)
    problems.raise_if_any()
    return suspects


def collect_suspects(path: Path, table: Table, problems: Problems, skip_missing: bool = False) -> list[Suspect]:
    """The valid suspects of a file, as read_suspects, with the invalid ones as problems.

    Args:
        path: The file.
        table: The channel.
        problems: Collects what is wrong with single rows.
        skip_missing: See read_suspects.

    Raises:
        InputError: The file is missing, or is no list of suspects.
    """
    rows, suspects = _Rows(table), []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            present = reader.fieldnames or ()
            missing = [name for name in SUSPECT_COLUMNS if name not in present]
            if missing:
                other = (
                    "evaluation.py wrote this list, whose images `python -m exploration errors` shows"
                    if EVALUATION_COLUMN in present
                    else "python -m exploration noise writes it"
                )
                expected = f"expected {','.join(SUSPECT_COLUMNS)}, found {listing(present)}"
                raise InputError(f"{path}: no column {listing(missing)}; {expected}; {other}")
            for cells in reader:
                text = {name: cells[name] or "" for name in SUSPECT_COLUMNS}
                own = rows.of(text)
                if skip_missing and own is None:
                    continue
                suspect = _read_suspect(text, own, rows, reader.line_num, problems)
                if suspect is not None:
                    suspects.append(suspect)
    except OSError as error:
        near = nearest_path(path)
        raise InputError(f"{path}: {error.strerror or error}{near}; python -m exploration noise writes it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV in UTF-8: {error}") from None
    return suspects


def _read_suspect(
    text: Mapping[str, str], own: tuple[int, ...] | None, rows: _Rows, line: int, problems: Problems
) -> Suspect | None:
    """The suspect of a row of the file; None, with problems, if it is invalid.

    Args:
        text: The row.
        own: Rows of the table that it doubts; None if the table has none of them.
        rows: The rows of the table.
        line: Line of the file.
        problems: Collects what is invalid.
    """
    before, where = len(problems), f"line {line}"
    if own is None:
        # the nearest name is slow to find among many paths
        is_named = problems.shows_next(FOREIGN_IMAGES) and len(rows.by_path) < MOST_COMPARED
        near = did_you_mean(text["path"], rows.by_path) if is_named else ""
        problems.add(FOREIGN_IMAGES, f"{where}: {text['path']!r}{near}", "The file must be made of the same channel.")
    if text["attribute"] not in rows.table.scheme.names:
        known = listing(rows.table.scheme.names)
        near = did_you_mean(text["attribute"], rows.table.scheme.names)
        problems.add("unknown attributes", f"{where}: {text['attribute']!r}, expected one of {known}{near}")
    if text["level"] not in (IMAGE, GROUP):
        near = did_you_mean(text["level"], (IMAGE, GROUP))
        problems.add("unknown levels", f"{where}: {text['level']!r}, expected {IMAGE} or {GROUP}{near}")
    score, neighbours = _score(text["score"]), _neighbours(text["neighbours"])
    if score is None:
        problems.add("invalid scores", f"{where}: {text['score']!r}, expected a number from 0 to 1")
    if neighbours is None:
        shown = text["neighbours"][:80]
        problems.add("invalid neighbours", f"{where}: {shown!r}, expected a JSON list of [path, value]")
    if len(problems) > before or own is None or score is None or neighbours is None:
        return None
    near_rows = tuple(rows.by_path[name] for name in neighbours if name in rows.by_path)
    labels = (text["attribute"], text["given"], text["suggested"])
    return Suspect(own, text["level"], *labels, score, text["reason"], near_rows, line)


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None


def _neighbours(text: str) -> list[str] | None:
    """The paths of neighbours; None if the text is not a list of [path, value]."""
    try:
        return [str(path) for path, _ in json.loads(text or "[]")]
    except (ValueError, TypeError):
        return None
