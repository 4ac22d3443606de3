"""The truth and the answers of a model, joined by the pictures' names, never by the order of rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import PROBABILITIES, beside_answers, labels_file, parts_of
from model.answers.read import (
    ANSWER_COLUMNS,
    COLUMNS,
    MISSING,
    PARTS,
    UNKNOWN,
    Cells,
    _number,
    find_column,
    read_cells,
    read_probabilities,
    read_scheme,
)
from model.artifacts.files import LABELS
from model.artifacts.provenance import PROVENANCE_KEY, Provenance
from model.data.readers.columns import GROUP_COLUMNS, PICTURE_COLUMNS, column_named
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import Attribute, Scheme, normal_text
from model.metrics.scores import NO_ANSWER

MOST_UNNAMED = 1000  # classes that numbers in a table may imply; a greater number is a mistake, such as an identifier


@dataclass(frozen=True)
class MatchedAnswers:
    """Truth and answers side by side, in the order of the truth's rows.

    truth: int64 (n,); answers: int64 (n,), -1 where there is none; probabilities: float (n, C), rows of NaN where
    a picture has none, None where there are none at all; groups: int64 (n,), 0 ... G - 1, None where no column
    holds any; group_names: of each, "" for a picture without one, which is a group of its own; metadata: the other
    columns of the truth's table and the answers', (n,) texts each, "" where a cell or row is missing; other: the
    answers to compare with; provenance: how the model that answered was made, None where labels.json does not tell it.
    notes: sentences about what a reader of the scores must know.
    """

    scheme: Scheme
    names: list[str]
    truth: np.ndarray
    answers: np.ndarray
    probabilities: np.ndarray | None = None
    groups: np.ndarray | None = None
    group_column: str | None = None
    group_names: list[str] = field(default_factory=list)
    metadata: dict[str, list[str]] = field(default_factory=dict)
    other: np.ndarray | None = None
    provenance: Provenance | None = None
    unanswered: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def correct(self) -> np.ndarray:
        """Whether each picture is answered right, bool (n,)."""
        return self.truth == self.answers


def match_answers(
    truth_file: Path,
    answers_file: Path,
    labels: Path | None = None,
    group_column: str | None = None,
    other_file: Path | None = None,
) -> MatchedAnswers:
    """Reads truth, answers, the scheme and probabilities beside the answers, and another model's answers to compare.

    labels: the scheme's file, else labels.json beside the answers, else the classes that probabilities name, else
    0 to the greatest found. Where an answers' file is missing, and folders beside it hold one of its name each, their
    rows are the answers (model.finding.parts_of). InputError tells everything that is wrong with all of the files at
    once.
    """
    problems = Problems("evaluation cannot read its input")
    notes: list[str] = []
    truth = read_cells(truth_file, problems)
    parts, other_parts = parts_of(answers_file), parts_of(other_file) if other_file else []
    answers = read_cells(answers_file, problems, parts)
    other = read_cells(other_file, problems, other_parts) if other_file else None
    for several in filter(None, (parts, other_parts)):
        _check_parts(several, problems)
        notes.append(f"answers of {len(several)} folders joined: {listing(part.parent.name for part in several)}")
    probabilities, beside = None, beside_answers(answers_file, PROBABILITIES)
    in_parts = [beside_answers(part, PROBABILITIES) for part in parts]
    if beside.is_file() or any(part.is_file() for part in in_parts):
        probabilities = read_probabilities(beside, problems, in_parts)
    else:
        notes.append(f"no calibration error: there is no {beside.name} beside the answers")
    groups: np.ndarray | None = None
    group_names: list[str] = []
    if truth:
        if truth.table.empty:
            problems.add("empty tables", f"{truth_file} has no rows")
        for row in truth.values.index[truth.values == ""]:
            problems.add("pictures without a true class", f"{truth_file} row {row}: {truth.names[row]!r}")
        group_column = _find_group(truth, group_column, problems)
        if group_column:
            groups, group_names = _groups(truth.table[group_column], notes)
    columns = list(probabilities.columns) if probabilities is not None else []
    labelled = parts[0] if parts else answers_file
    scheme = _find_scheme(labels, labelled, columns, [c for c in (truth, answers, other) if c], problems, notes)
    if scheme and probabilities is not None:
        _check_classes(columns, scheme, beside_answers(answers_file, PROBABILITIES), problems)
    if scheme and other:
        _check_same(scheme, other_parts[0] if other_parts else other.file, problems)
    channel = _channel_of(labels or labels_file(labelled)) if scheme else None
    true = _true_classes(truth, scheme, channel, problems, notes) if truth and scheme else None
    given = answers.classes(scheme, problems, numbers_first=True) if answers and scheme else None
    compared = other.classes(scheme, problems, numbers_first=True) if other and scheme else None
    problems.raise_if_any()
    assert scheme and truth and answers and true is not None and given is not None  # else there were problems

    names = truth.names.tolist()
    extra = answers.names[~answers.names.isin(set(names))].tolist()
    if extra:
        notes.append(f"answers without truth, left out: {len(extra):,} ({listing(extra, 3)})")
    classes = _match(names, answers, given, notes)
    return MatchedAnswers(
        scheme=scheme,
        names=names,
        truth=true,
        answers=classes,
        probabilities=None if probabilities is None else _match_rows(names, probabilities[scheme.class_names], notes),
        groups=groups,
        group_column=group_column,
        group_names=group_names,
        metadata=_metadata(truth, answers, group_column),
        other=None if other is None or compared is None else _match(names, other, compared, notes),
        provenance=_read_provenance(beside_answers(labelled, LABELS), notes),
        unanswered=[name for name, answer in zip(names, classes, strict=True) if answer == NO_ANSWER],
        left_out=extra,
        notes=notes,
    )


def _channel_of(labels: Path) -> Scheme | None:
    """The whole scheme of the channel that a model of one attribute learnt from, None where it is no part of one."""
    try:
        return Scheme.from_dict(json.loads(labels.read_text(encoding="utf-8-sig"))["channel"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None


def _true_classes(
    truth: Cells, scheme: Scheme, channel: Scheme | None, problems: Problems, notes: list[str]
) -> np.ndarray:
    """Where the truth tells the channel's joint classes and the answers one attribute, that attribute's."""
    if channel is None:
        return truth.classes(scheme, problems)
    attribute = scheme.attributes[0]
    own = {*attribute.values, *map(str, range(scheme.num_classes)), ""}
    if all(value in own for value in truth.values.unique()):
        notes.append(f"the truth is read as classes of {attribute.name}, not of {' and '.join(channel.names)} together")
        return truth.classes(scheme, problems)
    joint = truth.classes(channel, problems)
    told = " and ".join(channel.names)
    notes.append(f"the truth holds classes of {told} together, of which {attribute.name} is taken")
    return np.where(joint == NO_ANSWER, NO_ANSWER, channel.split(joint)[attribute.name])


def _find_group(truth: Cells, asked: str | None, problems: Problems) -> str | None:
    if asked is None:
        return column_named(truth.table.columns, *GROUP_COLUMNS)
    return find_column(truth.table, (asked,), "groups", truth.file, problems)


def _groups(cells: pd.Series, notes: list[str]) -> tuple[np.ndarray, list[str]]:
    values = cells.map(normal_text)
    empty = values == ""
    if empty.any():
        notes.append(f"pictures without a {cells.name}, each a group of its own: {int(empty.sum()):,}")
    keys = values.where(~empty, pd.Series([f"\0{row}" for row in values.index], index=values.index))
    codes, names = pd.factorize(keys)
    return codes.astype(np.int64), ["" if name.startswith("\0") else name for name in names]


def _metadata(truth: Cells, answers: Cells, group_column: str | None) -> dict[str, list[str]]:
    """The columns that are neither picture, class nor group, in the order of the truth's rows; where both tables have
    a column, the truth's."""
    own = {name.lower() for name in (*PICTURE_COLUMNS, *ANSWER_COLUMNS, group_column or "")}
    matched = answers.table.set_axis(pd.Index(answers.names)).reindex(truth.names).fillna("")
    columns = {name: table[name] for table in (matched, truth.table) for name in table.columns}
    return {name: cells.map(normal_text).tolist() for name, cells in columns.items() if name.lower() not in own}


def _find_scheme(
    given: Path | None,
    answers: Path,
    columns: Sequence[str],
    tables: Sequence[Cells],
    problems: Problems,
    notes: list[str],
) -> Scheme | None:
    path = given or labels_file(answers)
    if given or path.is_file():
        return read_scheme(path, problems)
    if columns:
        notes.append(f"no labels.json beside the answers: the {len(columns):,} classes are those of the probabilities")
        return Scheme((Attribute("class", tuple(columns)),))
    numbers = [_number(value) for table in tables for value in table.values.unique()]
    found = [int(number) for number in numbers if number.is_integer()]
    if not 0 <= max(found, default=-1) < MOST_UNNAMED:
        problems.add(MISSING, f"{path}: without it classes must be whole numbers below {MOST_UNNAMED:,}")
        return None
    notes.append(f"no labels.json beside the answers: classes are 0 to {max(found)}, the greatest found")
    return Scheme((Attribute("class", tuple(str(number) for number in range(max(found) + 1))),))


def _read_provenance(path: Path, notes: list[str]) -> Provenance | None:
    if not path.is_file():
        return None
    try:
        saved = json.loads(path.read_text(encoding="utf-8-sig")).get(PROVENANCE_KEY)
        return Provenance.from_dict(saved) if saved else None
    except (OSError, ValueError, AttributeError, InputError) as error:
        notes.append(f"how the model was made is left out: {path.name}: {error}")
        return None


def _check_classes(columns: Sequence[str], scheme: Scheme, path: Path, problems: Problems) -> None:
    for name in scheme.class_names:
        if name not in columns:
            problems.add(COLUMNS, f"{path}: no column of class {name!r}{did_you_mean(name, columns)}")
    for column in columns:
        if column not in scheme.class_names:
            close = did_you_mean(column, scheme.class_names)
            problems.add(UNKNOWN, f"{path}: column {column!r}, expected {listing(scheme.class_names)}{close}")


def _check_parts(parts: Sequence[Path], problems: Problems) -> None:
    """Parts can only be joined where one model made them all."""
    first, *others = (labels_file(part) for part in parts)
    for path in others:
        if path.is_file() != first.is_file():
            problems.add(PARTS, f"of {first} and {path} one is missing")
        elif path.is_file() and path.read_bytes() != first.read_bytes():
            problems.add(PARTS, f"{path} tells another model than {first}")


def _check_same(scheme: Scheme, other: Path, problems: Problems) -> None:
    """Two models' answers can only be compared where one class means one thing."""
    path = labels_file(other)
    theirs = read_scheme(path, problems) if path.is_file() else scheme
    if theirs and theirs.class_names != scheme.class_names:
        expected = listing(scheme.class_names)
        problems.add(UNKNOWN, f"{path}: its classes are {listing(theirs.class_names)}, those compared with {expected}")


def _match(names: Sequence[str], table: Cells, classes: np.ndarray, notes: list[str]) -> np.ndarray:
    """A table's classes in the order of names, -1 where there is none."""
    row = pd.Index(table.names).get_indexer(pd.Index(names))
    absent = [name for name, at in zip(names, row, strict=True) if at < 0]
    matched = np.where(row < 0, NO_ANSWER, classes[row] if len(classes) else NO_ANSWER)
    empty = [name for name, at, code in zip(names, row, matched, strict=True) if at >= 0 and code == NO_ANSWER]
    file = Path(table.file.parent.name, table.file.name)  # notes are passed on: no more of this machine's folders
    for what, pictures in (("no row", absent), ("an empty answer", empty)):
        if pictures:
            share = f"{len(pictures):,} of {len(names):,}"
            notes.append(f"pictures with {what} in {file}, counted as wrong: {share} ({listing(pictures, 3)})")
    if len(absent) == len(names) and len(table.names):
        notes.append(f"no picture of the truth is in {file}: its names look like {listing(table.names, 2)}")
    return matched.astype(np.int64)


def _match_rows(names: Sequence[str], probabilities: pd.DataFrame, notes: list[str]) -> np.ndarray:
    matched = probabilities.reindex(names).to_numpy(dtype=float)
    without = [name for name, row in zip(names, matched, strict=True) if np.isnan(row).all()]
    if without:
        notes.append(
            f"pictures without probabilities, left out of the calibration error: {len(without):,} "
            f"({listing(without, 3)})"
        )
    return matched
