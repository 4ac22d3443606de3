"""Numbers behind bands (age in years) of the true labels and of the predictions, matched by image name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.files import PREDICTIONS, beside_answers
from model.answers.read import ClassTable, read_class_table, to_number
from model.attributes import Attribute, normal_text, number_column
from model.data.readers.columns import column_named
from model.errors import Problems, listing
from model.evaluation.matched_answers import MatchedAnswers, MatchedNumbers

PREDICTED = "predicted"  # column of classes in predictions.csv


def match_numbers(
    matched: MatchedAnswers, truth: ClassTable, written: pd.Series, spelled: pd.Series, parts: Sequence[Path]
) -> dict[str, MatchedNumbers]:
    """The true and the estimated number of each image, by attribute.

    An attribute is included if predictions.csv has its number and the true labels have the number of some image. A true
    number outside the band of the true label is not used, as the label may have been corrected; notes say how many.

    Args:
        matched: True labels and predictions, in the order of `truth`. Its notes are extended.
        truth: The table of true labels.
        written: Image names as inference has written them.
        spelled: The same names as the true labels spell them.
        parts: output.csv, or that of each host.
    """
    numbers = {}
    for attribute in matched.scheme.attributes:
        if not attribute.cuts:
            continue
        estimated = _estimates(attribute, written, parts, matched.notes)
        if estimated is None:
            continue
        by_name = pd.Series(estimated.to_numpy(), index=spelled.to_numpy())
        true = _true_numbers(attribute, truth)
        bands = matched.truth_of(attribute.name)
        known = np.isfinite(true)
        outside = known & np.array([band != _band(attribute, number) for band, number in zip(bands, true)], bool)
        if outside.any():
            matched.notes.append(
                f"{attribute.name}: {int(outside.sum()):,} true numbers are not in the band of the true label and are "
                f"not scored ({listing([matched.names[row] for row in np.flatnonzero(outside)], 3)})"
            )
        true = np.where(known & ~outside, true, np.nan)
        if np.isfinite(true).any():
            numbers[attribute.name] = MatchedNumbers(true, by_name.reindex(matched.names).to_numpy(np.float64))
    return numbers


def _band(attribute: Attribute, number: float) -> int:
    return attribute.band(number) if np.isfinite(number) else -1


def _true_numbers(attribute: Attribute, truth: ClassTable) -> np.ndarray:
    """The true number of each row, float64 (N,), NaN without one: as it was read as a label, otherwise from a column
    with the name of the number or of the attribute's labels."""
    numbers = pd.Series(np.nan, index=truth.names.index)
    if truth.numbers is not None and attribute.name in truth.numbers:
        numbers = truth.numbers[attribute.name].reindex(truth.names.index)
    column = column_named(truth.table.columns, number_column(attribute.name), attribute.column)
    if column is not None:
        numbers = numbers.fillna(truth.table[column].map(lambda text: to_number(normal_text(text))))
    return numbers.to_numpy(np.float64)


def _estimates(attribute: Attribute, written: pd.Series, parts: Sequence[Path], notes: list[str]) -> pd.Series | None:
    """The estimated number of each written name, NaN without one; None if no predictions.csv has that column."""
    found = []
    for part in parts:
        file = beside_answers(part, PREDICTIONS)
        problems = Problems(f"numbers in {file}")
        table = read_class_table(file, problems, columns=(PREDICTED,)) if file.is_file() else None
        if problems:
            notes.append(f"{attribute.name}: numbers in {file.name} cannot be read, so they are not scored")
            return None
        column = column_named(table.table.columns, number_column(attribute.name)) if table else None
        if table is not None and column is not None:
            texts = table.table[column].map(normal_text)
            found.append(pd.Series([to_number(text) for text in texts], index=table.names.to_numpy()))
    return pd.concat(found).reindex(written.to_numpy()) if found else None
