"""Which label scheme answers are evaluated by, and whether truth, probabilities and compared answers agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.answers.files import labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import (
    ANSWER_NAME,
    DIFFERENT_PARTS,
    MISSING_COLUMNS,
    MISSING_FILES,
    UNKNOWN_CLASSES,
    ClassTable,
)
from model.answers.seen_images import LEARNT_FROM_KEY
from model.attributes import Attribute, normal_text
from model.errors import Problems, did_you_mean, listing
from model.label_values import INDICES, NAMES, whole_number
from model.labels import Scheme

AMBIGUOUS_CLASSES = "classes that may be names or indices"
INDEX_COLUMNS = ("ans", "y_pred")  # output.csv's own, which hold indices
MAX_DIGITS = 6
MAX_UNNAMED_CLASSES = 1000  # that numbers in a table may imply; a greater number is a mistake, such as an identifier


def find_scheme(
    labels: LabelsJson | None,
    path: Path,
    columns: Sequence[str],
    tables: Sequence[ClassTable],
    problems: Problems,
    notes: list[str],
) -> Scheme | None:
    """The label scheme of the answers; None, and a problem, where there is none.

    Args:
        labels: labels.json, None where there is no such file; then columns, then the numbers in tables name classes.
        path: where labels.json would be, for the message.
        columns: classes of the probabilities, empty where there are none.
        tables: truth and answers.
        problems: collects what is wrong with the scheme.
        notes: collects what the classes are where there is no labels.json.
    """
    if labels:
        return labels.scheme(problems)
    if columns:
        notes.append(f"no labels.json beside the answers: the {len(columns):,} classes are those of the probabilities")
        return Scheme((Attribute("class", tuple(columns)),))
    numbers = [whole_number(value) for table in tables for value in table.values.unique()]
    # A number with more digits than the greatest class may have is too great; int() refuses very long ones
    greatest = max((int(number[:MAX_DIGITS]) for number in numbers if number is not None), default=-1)
    if not 0 <= greatest < MAX_UNNAMED_CLASSES:
        problems.add(MISSING_FILES, f"{path}: without it classes must be whole numbers below {MAX_UNNAMED_CLASSES:,}")
        return None
    notes.append(f"no labels.json beside the answers: classes are 0 to {greatest}, the greatest found")
    return Scheme((Attribute("class", tuple(str(number) for number in range(greatest + 1))),))


def true_classes(
    truth: ClassTable,
    scheme: Scheme,
    channel: Scheme | None,
    label_values: str | None,
    problems: Problems,
    notes: list[str],
) -> np.ndarray:
    """True classes in the answers' scheme, int64 (N,).

    The whole column is read as names or as indices of classes. A column with the name of the training channel's label
    column is read as that was, as names if they fit; of any other column that fits both ways a setting must say how.

    Args:
        truth: the table.
        scheme: of the answers.
        channel: the joint scheme of the training channel, where scheme is one attribute of it. The truth may then hold
            the joint classes, of which that attribute is taken, or the attribute's own.
        label_values: names or indices; None to decide by the column.
        problems: collects unknown classes and a column that may be read in two ways.
        notes: collects how the truth was read.
    """
    readings: tuple[str, ...] = (NAMES, INDICES)
    if truth.column.lower() == ANSWER_NAME:
        readings = (NAMES,)
    elif label_values:
        readings = (label_values,)
    read, joint = truth.read(scheme, readings), False
    if channel is not None:
        attribute, joint_name = scheme.attributes[0], " and ".join(channel.names)
        joint = bool(read.unknown)
        if joint:
            channel = with_true_combinations(channel, truth, [])
            read = truth.read(channel, readings)
            notes.append(f"the truth holds classes of {joint_name} together, of which {attribute.name} is taken")
        else:
            notes.append(f"the truth is read as classes of {attribute.name}, not of {joint_name} together")
    if read.ambiguous and _is_training_column(truth, scheme):
        notes.append(f"the truth's {truth.column} is read as names, as the column of that name in training was")
    elif read.ambiguous:
        problems.add(AMBIGUOUS_CLASSES, _ambiguity(truth, channel if joint and channel else scheme))
    codes = truth.codes(read, problems)
    return np.where(codes < 0, codes, channel.split(codes)[attribute.name]) if joint and channel else codes


def _is_training_column(truth: ClassTable, scheme: Scheme) -> bool:
    """Whether the truth's column has the name of the label column that was learnt from, not that of answers."""
    attribute, *others = scheme.attributes
    column = normal_text(truth.column).lower()
    return not others and column == attribute.column.lower() and column not in INDEX_COLUMNS


def _ambiguity(truth: ClassTable, scheme: Scheme) -> str:
    """Says of a column that may hold names or indices how the readings differ."""
    by_name, by_index = truth.read(scheme, (NAMES,)), truth.read(scheme, (INDICES,))
    value = next(value for value, code in by_name.codes.items() if by_index.codes[value] != code)
    name, index = (
        "left out" if read.codes[value] < 0 else f"class {scheme.class_names[read.codes[value]]!r}"
        for read in (by_name, by_index)
    )
    return (
        f"{truth.file}: column {truth.column} fits the names of classes and their indices, which differ: {value!r} is "
        f"{name} by name and {index} by index; give --label_values names or --label_values indices"
    )


def with_true_combinations(scheme: Scheme, truth: ClassTable, notes: list[str]) -> Scheme:
    """The scheme with the combinations of the truth that the model does not know as further classes behind its own: no
    answer is right for them, but each attribute may be.

    Args:
        scheme: of the answers.
        truth: the table.
        notes: collects how many such combinations there are.
    """
    if scheme.combinations is None:
        return scheme
    known = set(scheme.class_names)
    others = [value for value in truth.values.unique() if value and value not in known]
    numbers = {value: number for value in others if (number := scheme.combination_number(value)) is not None}
    if numbers:
        pictures = int(truth.values.isin(set(numbers)).sum())
        notes.append(
            f"combinations that the model does not know: {len(numbers):,} ({listing(numbers, 3)}), of {pictures:,} "
            "images; these count as wrong, and are scored by attribute"
        )
    return scheme.extended(numbers.values())


def check_probability_columns(columns: Sequence[str], scheme: Scheme, path: Path, problems: Problems) -> None:
    """The columns of probabilities must be the classes of the scheme, in any order."""
    known, found = set(scheme.class_names), set(columns)
    for name in scheme.class_names:
        if name not in found:
            problems.add(MISSING_COLUMNS, f"{path}: no column of class {name!r}{did_you_mean(name, columns)}")
    for column in columns:
        if column not in known:
            close = did_you_mean(column, scheme.class_names)
            problems.add(UNKNOWN_CLASSES, f"{path}: column {column!r}, expected {listing(scheme.class_names)}{close}")


def check_parts(parts: Sequence[Path], problems: Problems) -> None:
    """Answers of several hosts must be those of one model: their labels.json are the same, but for the number of images
    that it had seen, or all missing."""
    first, *others = (labels_file(part) for part in parts)
    for path in others:
        if path.is_file() != first.is_file():
            problems.add(DIFFERENT_PARTS, f"of {first} and {path} one is missing")
        elif path.is_file() and _model_of(path) != _model_of(first):
            problems.add(DIFFERENT_PARTS, f"{path} tells another model than {first}")


def _model_of(labels: Path) -> Any:
    """What a labels.json says of the model; all of its bytes where it is no JSON object."""
    content = LabelsJson.read(labels).content
    if not isinstance(content, dict):
        return labels.read_bytes()
    return {key: value for key, value in content.items() if key != LEARNT_FROM_KEY}


def check_same_classes(scheme: Scheme, other_answers: Path, problems: Problems) -> None:
    """Answers to compare must have the same classes, in the same order."""
    path = labels_file(other_answers)
    other = LabelsJson.read(path).scheme(problems) if path.is_file() else scheme
    if other and other.class_names != scheme.class_names:
        expected = listing(scheme.class_names)
        problems.add(
            UNKNOWN_CLASSES, f"{path}: its classes are {listing(other.class_names)}, those compared with {expected}"
        )
