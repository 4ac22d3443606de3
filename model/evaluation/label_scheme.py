"""Which label scheme answers are evaluated by, and whether truth, probabilities and compared answers agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.answers.files import labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import (
    DIFFERENT_PARTS,
    MISSING_COLUMNS,
    MISSING_FILES,
    UNKNOWN_CLASSES,
    ClassTable,
    to_number,
)
from model.errors import Problems, did_you_mean, listing
from model.labels import Attribute, Scheme
from model.metrics.scores import NO_ANSWER

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
    numbers = [to_number(value) for table in tables for value in table.values.unique()]
    greatest = max((int(number) for number in numbers if number.is_integer()), default=-1)
    if not 0 <= greatest < MAX_UNNAMED_CLASSES:
        problems.add(MISSING_FILES, f"{path}: without it classes must be whole numbers below {MAX_UNNAMED_CLASSES:,}")
        return None
    notes.append(f"no labels.json beside the answers: classes are 0 to {greatest}, the greatest found")
    return Scheme((Attribute("class", tuple(str(number) for number in range(greatest + 1))),))


def true_classes(
    truth: ClassTable, scheme: Scheme, channel: Scheme | None, problems: Problems, notes: list[str]
) -> np.ndarray:
    """True classes in the answers' scheme, int64 (N,).

    Args:
        truth: the table.
        scheme: of the answers.
        channel: the joint scheme of the training channel, where scheme is one attribute of it. The truth may then hold
            the joint classes, of which that attribute is taken, or the attribute's own.
        problems: collects unknown classes.
        notes: collects how the truth was read.
    """
    if channel is None:
        return truth.classes(scheme, problems)
    attribute, joint_name = scheme.attributes[0], " and ".join(channel.names)
    own = {*attribute.values, *map(str, range(scheme.num_classes)), ""}
    if all(value in own for value in truth.values.unique()):
        notes.append(f"the truth is read as classes of {attribute.name}, not of {joint_name} together")
        return truth.classes(scheme, problems)
    channel = with_true_combinations(channel, truth, [])
    joint = truth.classes(channel, problems)
    notes.append(f"the truth holds classes of {joint_name} together, of which {attribute.name} is taken")
    return np.where(joint == NO_ANSWER, NO_ANSWER, channel.split(joint)[attribute.name])


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
            "pictures; these count as wrong, and are scored by attribute"
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
    """Answers of several hosts must be those of one model: their labels.json are the same or all missing."""
    first, *others = (labels_file(part) for part in parts)
    for path in others:
        if path.is_file() != first.is_file():
            problems.add(DIFFERENT_PARTS, f"of {first} and {path} one is missing")
        elif path.is_file() and path.read_bytes() != first.read_bytes():
            problems.add(DIFFERENT_PARTS, f"{path} tells another model than {first}")


def check_same_classes(scheme: Scheme, other_answers: Path, problems: Problems) -> None:
    """Answers to compare must have the same classes, in the same order."""
    path = labels_file(other_answers)
    other = LabelsJson.read(path).scheme(problems) if path.is_file() else scheme
    if other and other.class_names != scheme.class_names:
        expected = listing(scheme.class_names)
        problems.add(
            UNKNOWN_CLASSES, f"{path}: its classes are {listing(other.class_names)}, those compared with {expected}"
        )
