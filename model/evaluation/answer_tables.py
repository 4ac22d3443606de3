"""Reads the tables of an evaluation: true labels, predictions, probabilities, and other predictions to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from model.answers.files import PROBABILITIES, beside_answers, host_parts, labels_file
from model.answers.labels_json import LabelsJson
from model.answers.read import MISSING_COLUMNS, ClassTable, read_class_table, read_probabilities
from model.data.channel import ChannelOptions
from model.data.readers.columns import column_named, picture_columns
from model.data.readers.table_options import TableOptions
from model.errors import Problems, did_you_mean, listing
from model.evaluation.label_scheme import check_parts
from model.evaluation.picture_names import spelled_as
from model.evaluation.truth import match_by_file_name, read_truth


@dataclass(frozen=True)
class TruthReading:
    """How the true labels are read. Each attribute is the setting of the same name.

    Attributes:
        picture_column: Column of image names; None for that in labels.json of the predictions, or one of a usual name.
        encoding: Encoding of the true labels if they have no byte-order mark.
        corrections: Log of corrections of the true labels; None without one.
    """

    picture_column: str | None = None
    encoding: str = "utf-8"
    corrections: str | None = None


@dataclass(frozen=True)
class Tables:
    """Tables as they were read; None for one that cannot be read.

    labelled_file, other_labelled_file: The file of predictions (that of the first host) with labels.json in its folder.
    labels: The labels.json of the predictions, None if there is none.
    parts: The predictions of each host; with one host, its file.
    """

    truth: ClassTable | None
    answers: ClassTable | None
    other: ClassTable | None
    probabilities: pd.DataFrame | None
    probabilities_file: Path
    labelled_file: Path
    labels: LabelsJson | None
    other_labelled_file: Path | None
    parts: Sequence[Path]

    def labels_by_part(self) -> dict[Path, Any]:
        """The content of each part's labels.json, None if there is none."""
        own = {part: self.labels if part == self.labelled_file else _labels_of(part) for part in self.parts}
        return {part: labels.content if labels else None for part, labels in own.items()}


def read_tables(
    answers_file: Path, other_file: Path | None, picture_column: str | None, problems: Problems, notes: list[str]
) -> Tables:
    """Reads all tables except the true labels.

    The column of image names is that of the setting, that in labels.json of the predictions, or one of a usual name.

    Args:
        answers_file: The predictions.
        other_file: Predictions to compare with; None for none.
        picture_column: The setting of that name.
        problems: Collects errors of the tables.
        notes: Collects notes on joined files and missing probabilities.
    """
    parts, other_parts = host_parts(answers_file), host_parts(other_file) if other_file else []
    labelled_file = parts[0] if parts else answers_file
    labels = _labels_of(labelled_file)
    columns = picture_columns(picture_column, labels.picture_column() if labels else None)
    answers = read_class_table(answers_file, problems, parts, columns)
    other = None
    if other_file:
        other_labels = _labels_of(other_parts[0] if other_parts else other_file)
        remembered = other_labels.picture_column() if other_labels else None
        other = read_class_table(other_file, problems, other_parts, picture_columns(picture_column, remembered))
    for hosts in filter(None, (parts, other_parts)):
        check_parts(hosts, problems)
        notes.append(f"predictions of {len(hosts)} hosts were joined: {listing(part.parent.name for part in hosts)}")
    probabilities = None
    probabilities_file = beside_answers(answers_file, PROBABILITIES)
    probability_parts = [beside_answers(part, PROBABILITIES) for part in parts]
    if probabilities_file.is_file() or any(part.is_file() for part in probability_parts):
        probabilities = read_probabilities(probabilities_file, problems, probability_parts, columns)
    else:
        notes.append(f"the calibration error needs {probabilities_file.name}, which is missing next to the predictions")
    return Tables(
        truth=None,
        answers=answers,
        other=other,
        probabilities=probabilities,
        probabilities_file=probabilities_file,
        labelled_file=labelled_file,
        labels=labels,
        other_labelled_file=other_parts[0] if other_parts else other_file,
        parts=parts or [answers_file],
    )


def truth_options(tables: Tables, picture_column: str | None, encoding: str) -> TableOptions:
    """How the table of true labels is read: by the column of images of the setting or of the predictions."""
    remembered = tables.labels.picture_column() if tables.labels else None
    return TableOptions(encoding=encoding, remembered_column=picture_column or remembered)


def read_truth_table(
    truth: Path,
    tables: Tables,
    labels: LabelsJson | None,
    group_column: str | None,
    options: TableOptions,
    problems: Problems,
    notes: list[str],
) -> ClassTable | None:
    """Reads the true labels. Images of a folder get the names that the predictions have for them.

    Args:
        truth: Table or folder, from truth_location.
        tables: The other tables.
        labels: The label scheme of the predictions; None without one.
        group_column: The setting of that name.
        options: How a table is read.
        problems: Collects errors.
        notes: Collects how the true labels were read.
    """
    scheme = labels.scheme(Problems("labels")) if labels else None  # its errors are reported later
    levels = labels.trained_with("folder_levels") if labels else None
    channel = ChannelOptions(group_column=group_column, encoding=options.encoding, folder_levels=levels or ())
    table = read_truth(truth, scheme, channel, options, problems, notes)
    if table and tables.answers and truth.is_dir():
        return match_by_file_name(table, tables.answers.names, notes)
    return table


def check_picture_column(tables: Tables, picture_column: str | None, problems: Problems) -> None:
    """Adds a problem if neither true labels nor predictions have the column of the setting picture_column."""
    truth, answers = tables.truth, tables.answers
    if not (picture_column and truth and answers):
        return
    if column_named([truth.name_column, answers.name_column], picture_column) is None:
        there = [*truth.table.columns, *answers.table.columns]
        detail = f"picture_column {picture_column!r}: neither {truth.file} nor {answers.file} has this column"
        problems.add(MISSING_COLUMNS, f"{detail}{did_you_mean(picture_column, there)}")


def spelled_alike(tables: Tables, problems: Problems, notes: list[str]) -> Tables:
    """The tables of predictions, with image names spelled as in the true labels."""
    names = tables.truth.names.tolist() if tables.truth else []

    def spelled(table: ClassTable | None) -> ClassTable | None:
        if table is None:
            return None
        own = spelled_as(names, table.names.tolist(), table.file, problems, notes)
        return replace(table, names=pd.Series(own, index=table.names.index, dtype=object))

    probabilities = tables.probabilities
    if probabilities is not None:
        own = spelled_as(names, probabilities.index.tolist(), tables.probabilities_file, problems, [])
        probabilities = probabilities.set_axis(pd.Index(own, name=probabilities.index.name))
    return replace(tables, answers=spelled(tables.answers), other=spelled(tables.other), probabilities=probabilities)


def _labels_of(answers_file: Path) -> LabelsJson | None:
    """The labels.json of predictions, None if there is none."""
    path = labels_file(answers_file)
    return LabelsJson.read(path) if path.is_file() else None
