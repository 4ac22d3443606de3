"""Accuracy of subgroups of the images: of each group (person, sender) and of each value of a metadata column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from model.evaluation.matching import MatchedAnswers
from model.metrics.bootstrap import Interval, interval, resample

MOST_VALUES = 20  # a column with more is a name, a number or a date


@dataclass(frozen=True)
class Subgroup:
    """The images of one group or metadata value.

    correct: number of them that are answered correctly.
    """

    name: str
    pictures: int
    correct: int
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "accuracy": self.accuracy.to_dict()}


def subgroups_by_group(matched: MatchedAnswers) -> list[Subgroup]:
    """The groups that have a name, in the order of the truth, without intervals, as whole groups are resampled.

    Empty where there are no groups, or each has one image.
    """
    if matched.groups is None:
        return []
    pictures = np.bincount(matched.groups)
    correct = np.bincount(matched.groups, weights=matched.correct).astype(np.int64)
    if pictures.max() == 1:
        return []
    return [
        Subgroup(name, int(size), int(right), Interval(float(right / size)))
        for name, size, right in zip(matched.group_names, pictures, correct, strict=True)
        if name
    ]


def subgroups_by_metadata(
    matched: MatchedAnswers, resamples: int, confidence: float, seed: int
) -> dict[str, list[Subgroup]]:
    """The values of each metadata column that has 2 to MOST_VALUES of them, sorted; an empty cell is a value too.

    The resamples are those of evaluate(), so that a value's interval is paired with all others.

    Args:
        matched: truth and answers.
        resamples, confidence, seed: as of model.evaluation.evaluate.evaluate.
    """
    names: dict[str, list[str]] = {}  # values by column
    blocks = []  # for each column: number of images by value, then number of correct answers by value
    rows = np.arange(len(matched.names))
    for column, cells in matched.metadata.items():
        values, codes = np.unique(np.asarray(cells, dtype=object), return_inverse=True)
        if 2 <= len(values) <= MOST_VALUES:
            names[column] = values.tolist()
            for counted in (np.ones(len(codes)), matched.correct.astype(float)):
                blocks.append(sparse.csr_array((counted, (rows, codes)), shape=(len(codes), len(values))))
    if not names:
        return {}
    totals = resample(sparse.csr_array(sparse.hstack(blocks)), matched.groups, resamples, seed)
    parts = iter(np.split(totals, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1))
    return {
        column: _subgroups(values, pictures=next(parts), correct=next(parts), confidence=confidence)
        for column, values in names.items()
    }


def _subgroups(names: list[str], pictures: np.ndarray, correct: np.ndarray, confidence: float) -> list[Subgroup]:
    """pictures, correct: counts in the sample and its resamples, (1 + resamples, values)."""
    accuracy = correct / np.where(pictures > 0, pictures, np.nan)
    return [
        Subgroup(name, int(pictures[0, number]), int(correct[0, number]), interval(accuracy[:, number], confidence))
        for number, name in enumerate(names)
    ]
