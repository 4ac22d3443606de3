"""The label scheme of an evaluation, and whether true labels, probabilities and compared predictions agree with it."""

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
INDEX_COLUMNS = ("ans", "y_pred")  # of output.csv, with indices
MAX_DIGITS = 6
MAX_UNNAMED_CLASSES = 1000  # without labels.json; a greater number in a column of classes is probably an identifier


def find_scheme(
    labels: LabelsJson | None,
    path: Path,
    columns: Sequence[str],
    tables: Sequence[ClassTable],
    problems: Problems,
    notes: list[str],
) -> Scheme | None:
    """The label scheme of the predictions; None, with a problem, if there is none.

    Args:
        labels: labels.json. If it is None, the classes are the columns, otherwise the numbers in the tables.
        path: Path of labels.json, for the message.
        columns: Classes of the probabilities; empty without probabilities.
        tables: True labels and predictions.
        problems: Collects errors of the scheme.
        notes: Collects which classes are used without labels.json.
    """
    if labels:
        return labels.scheme(problems)
    if columns:
        notes.append(
            f"no labels.json next to the predictions: the classes are the {len(columns):,} columns of probabilities"
        )
        return Scheme((Attribute("class", tuple(columns)),))
    numbers = [whole_number(value) for table in tables for value in table.values.unique()]
    # enough digits to see that a number is too great; int() refuses very long texts
    greatest = max((int(number[:MAX_DIGITS]) for number in numbers if number is not None), default=-1)
    if not 0 <= greatest < MAX_UNNAMED_CLASSES:
        problems.add(
            MISSING_FILES, f"{path}: no such file; without it, classes must be integers below {MAX_UNNAMED_CLASSES:,}"
        )
        return None
    notes.append(
        f"no labels.json next to the predictions: the classes are 0 to {greatest}, the greatest class in the tables"
    )
    return Scheme((Attribute("class", tuple(str(number) for number in range(greatest + 1))),))


def true_classes(
    truth: ClassTable,
    scheme: Scheme,
    channel: Scheme | None,
    label_values: str | None,
    problems: Problems,
    notes: list[str],
) -> np.ndarray:
    """True classes in the scheme of the predictions, int64 (N,).

    The whole column is read as names or as indices of classes. A column with the name of the training channel's label
    column is read as in training: as names if they fit. If another column fits both ways, the setting label_values must
    decide.

    Args:
        truth: The table of true labels.
        scheme: Scheme of the predictions.
        channel: The joint scheme of the training channel if `scheme` is only one of its attributes. The true labels may
            then be joint classes, of which that attribute is used, or values of the attribute.
        label_values: names or indices; None to decide by the column.
        problems: Collects unknown classes and an ambiguous column.
        notes: Collects how the column was read.
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
            notes.append(f"the true labels are joint classes of {joint_name}; only {attribute.name} is used")
        else:
            notes.append(
                f"the true labels are read as values of {attribute.name}, not as joint classes of {joint_name}"
            )
    if read.ambiguous and _is_training_column(truth, scheme):
        notes.append(
            f"the true labels in column {truth.column} are read as class names, because the same column was read that "
            "way in training"
        )
    elif read.ambiguous:
        problems.add(AMBIGUOUS_CLASSES, _ambiguity(truth, channel if joint and channel else scheme))
    codes = truth.codes(read, problems)
    return np.where(codes < 0, codes, channel.split(codes)[attribute.name]) if joint and channel else codes


def _is_training_column(truth: ClassTable, scheme: Scheme) -> bool:
    """Whether the column of true labels has the name of the training's label column, and not one of predictions."""
    attribute, *others = scheme.attributes
    column = normal_text(truth.column).lower()
    return not others and column == attribute.column.lower() and column not in INDEX_COLUMNS


def _ambiguity(truth: ClassTable, scheme: Scheme) -> str:
    """The message for a column that can be names or indices, with a value that differs."""
    by_name, by_index = truth.read(scheme, (NAMES,)), truth.read(scheme, (INDICES,))
    value = next(value for value, code in by_name.codes.items() if by_index.codes[value] != code)
    name, index = (
        "dropped" if read.codes[value] < 0 else f"class {scheme.class_names[read.codes[value]]!r}"
        for read in (by_name, by_index)
    )
    return (
        f"{truth.file}: column {truth.column} can be read as class names or as class indices, with different results: "
        f"{value!r} is {name} as a name, but {index} as an index; set --label_values names or --label_values indices"
    )


def with_true_combinations(scheme: Scheme, truth: ClassTable, notes: list[str]) -> Scheme:
    """The scheme with those combinations of the true labels that the model cannot predict as further classes.

    No prediction of the joint class is correct for them, but those of single attributes may be.

    Args:
        scheme: Scheme of the predictions.
        truth: The table of true labels.
        notes: Collects the number of these combinations.
    """
    if scheme.combinations is None:
        return scheme
    known = set(scheme.class_names)
    others = [value for value in truth.values.unique() if value and value not in known]
    numbers = {value: number for value in others if (number := scheme.combination_number(value)) is not None}
    if numbers:
        pictures = int(truth.values.isin(set(numbers)).sum())
        notes.append(
            f"combinations that the model cannot predict: {len(numbers):,} ({listing(numbers, 3)}); {pictures:,} "
            "images have one of them and count as wrong for the joint class, but each of their attributes is scored"
        )
    return scheme.extended(numbers.values())


def check_probability_columns(columns: Sequence[str], scheme: Scheme, path: Path, problems: Problems) -> None:
    """The columns of probabilities must be the classes of the scheme, in any order."""
    known = set(scheme.class_names)
    for name in scheme.class_names:
        if name not in columns:
            problems.add(MISSING_COLUMNS, f"{path}: no column of class {name!r}{did_you_mean(name, columns)}")
    for column in columns:
        if column not in known:
            close = did_you_mean(column, scheme.class_names)
            problems.add(UNKNOWN_CLASSES, f"{path}: column {column!r}, expected {listing(scheme.class_names)}{close}")


def check_parts(parts: Sequence[Path], problems: Problems) -> None:
    """Adds a problem if predictions of several hosts are of different models.

    Their labels.json must be equal, except for the number of images that were used in training, or all missing.
    """
    first, *others = (labels_file(part) for part in parts)
    for path in others:
        if path.is_file() != first.is_file():
            problems.add(DIFFERENT_PARTS, f"only one of {first} and {path} exists")
        elif path.is_file() and _model_of(path) != _model_of(first):
            problems.add(DIFFERENT_PARTS, f"{path} and {first} were written with different models")


def _model_of(labels: Path) -> Any:
    """The content of a labels.json that identifies the model; all bytes if it is no JSON object."""
    content = LabelsJson.read(labels).content
    if not isinstance(content, dict):
        return labels.read_bytes()
    return {key: value for key, value in content.items() if key != LEARNT_FROM_KEY}


def check_same_classes(scheme: Scheme, other_answers: Path, problems: Problems) -> None:
    """Adds a problem if predictions to compare with have other classes or another order."""
    path = labels_file(other_answers)
    other = LabelsJson.read(path).scheme(problems) if path.is_file() else scheme
    if other and other.class_names != scheme.class_names:
        expected = listing(scheme.class_names)
        problems.add(UNKNOWN_CLASSES, f"{path}: its classes are {listing(other.class_names)}, expected {expected}")
