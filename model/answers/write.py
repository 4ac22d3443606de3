"""Writes predictions batch by batch: output.csv, probabilities.csv, predictions.csv, errors.csv and labels.json."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.answers.files import ERRORS, PREDICTIONS, PROBABILITIES, beside_answers
from model.answers.labels_json import write_labels
from model.answers.predictions import PredictionTable
from model.atomic_write import remove_parts, write_csv
from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.decisions import Decision
from model.errors import InputError, listing
from model.labels import Scheme
from model.runtime.terminal import progress_bar

log = logging.getLogger("rarebird")

SPREADSHEET = "utf-8-sig"  # UTF-8 with the mark by which Excel recognises it


@dataclass(frozen=True)
class Answers:
    """Probabilities of a batch of images.

    rows: int64 (N,), rows of the input whose images could be read.
    probabilities: float32 (N, C), of the joint classes.
    unreadable: Reason by row, for the rows of unreadable images.
    keys: uint64 (N,), keys of the images' contents; None if not requested.
    numbers: Estimated numbers by the name of their attribute, float (N,) each, NaN if unknown.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    unreadable: dict[int, str]
    keys: np.ndarray | None = None
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)


def write_answers(
    answers: Iterable[Answers],
    info: pd.DataFrame,
    name_column: str,
    labels: Mapping[str, Any],
    answers_file: Path,
    probabilities_file: Path,
    decision: Decision,
    numbers: Sequence[str] = (),
) -> int:
    """Writes predictions batch by batch, with predictions.csv, labels.json and errors.csv next to output.csv.

    All files are temporary until the last batch is written, and then get their names.

    Args:
        answers: Batches in the order of info's rows.
        info: Rows and columns of the input, as text.
        name_column: The column of info with the image names.
        labels: Content of labels.json, the label scheme of the classes.
        answers_file: Path of output.csv.
        probabilities_file: Path of probabilities.csv.
        decision: Decides the class of each image.
        numbers: Names of the attributes whose estimated number predictions.csv has.

    Returns:
        Number of images without a prediction.
    """
    outputs = (answers_file, probabilities_file, beside_answers(answers_file, PREDICTIONS))
    for file in outputs:
        remove_parts(file.parent, file.name)
    header, rows, answer_column = _answer_table(info, name_column)
    names = info.iloc[:, [str(column) for column in info.columns].index(name_column)].tolist()
    scheme = Scheme.from_dict(labels)
    predictions = PredictionTable(scheme, decision, name_column, tuple(numbers))
    headers = (header, _probabilities_header(name_column, scheme.class_names), predictions.header)
    errors_file = beside_answers(answers_file, ERRORS)
    errors: list[tuple[str, str]] = []
    with ExitStack() as files, progress_bar("answers", len(info)) as bar:
        encodings = ("utf-8", "utf-8", SPREADSHEET)
        writers = [files.enter_context(write_csv(file, encoding)) for file, encoding in zip(outputs, encodings)]
        for writer, titles in zip(writers, headers):
            writer.writerow(titles)
        for batch in answers:
            # the class, the probabilities and the readable prediction of each row of the batch
            classes = decision.classes(batch.probabilities)
            ranked = predictions.rows([names[row] for row in batch.rows], batch.probabilities, batch.numbers)
            predicted = dict(zip(batch.rows.tolist(), zip(classes, batch.probabilities, ranked)))
            # write every row in the order of the input, those of unreadable images too
            for row in sorted([*predicted, *batch.unreadable]):
                if row not in predicted:
                    errors.append((names[row], batch.unreadable[row]))
                    answer, texts, prediction = "", [""] * scheme.num_classes, predictions.unread(*errors[-1])
                else:
                    code, probabilities, prediction = predicted[row]
                    answer, texts = str(code), [f"{value:.7g}" for value in probabilities]
                rows[row, answer_column] = answer
                for writer, values in zip(writers, (rows[row], [names[row], *texts], prediction)):
                    writer.writerow(values)
            bar.update(len(batch.rows) + len(batch.unreadable))
        if errors:
            files.enter_context(write_csv(errors_file)).writerows([(name_column, "error"), *errors])
        write_labels(answers_file, labels, name_column)
    if not errors:
        errors_file.unlink(missing_ok=True)  # of an earlier inference
    return len(errors)


def _answer_table(info: pd.DataFrame, name_column: str) -> tuple[list[str], np.ndarray, int]:
    """Header of output.csv, its rows, object (N, columns), and the index of the column of predictions.

    That column is `ans` of info if there is one, otherwise a new last column. If the image names are in a column
    `image_name`, as in the tagging challenge, output.csv has that column and `y_pred` only.
    """
    header = [str(column) for column in info.columns]
    rows = info.to_numpy(dtype=object, copy=True)
    new_column = "ans"
    if name_column.lower() == "image_name":
        header, rows, new_column = [name_column], rows[:, [header.index(name_column)]], "y_pred"
    elif (own := column_named(header, "ans")) is not None:
        return header, rows, header.index(own)
    empty = np.full((len(rows), 1), "", dtype=object)
    return [*header, new_column], np.hstack([rows, empty]), len(header)


def _probabilities_header(name_column: str, classes: Sequence[str]) -> list[str]:
    """The columns of probabilities.csv: the image names and the classes.

    If a class has the name of the column of image names, that column gets another of the names that readers recognise.
    """
    names = (name_column, *PICTURE_COLUMNS)
    free = next((name for name in names if name not in classes), None)
    if free is None:
        raise InputError(
            f"the image column of {PROBABILITIES} cannot be named: all possible names ({listing(PICTURE_COLUMNS)}) are "
            "also class names; rename one of these classes"
        )
    if free != name_column:
        log.warning(
            "because a class is called %s, the image column in %s is called %s instead",
            name_column,
            PROBABILITIES,
            free,
        )
    return [free, *classes]
