"""Accuracy of subgroups of the images: of each group (person, sender) and of each value of a metadata column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from model.evaluation.matched_answers import MatchedAnswers
from model.metrics.bootstrap import Interval
from model.metrics.proportions import share_intervals

MOST_VALUES = 20  # a column with more probably has names, numbers or dates


@dataclass(frozen=True)
class Subgroup:
    """The images of one group or metadata value.

    pictures: Number of images.
    correct: Number of images that are predicted correctly.
    """

    name: str
    pictures: int
    correct: int
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "accuracy": self.accuracy.to_dict()}


def subgroups_by_group(matched: MatchedAnswers) -> list[Subgroup]:
    """The groups that have a name, in the order of the true labels; without intervals, as a group is one observation.

    Empty if there are no groups or if each has one image.
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


def subgroups_by_metadata(matched: MatchedAnswers, confidence: float) -> dict[str, list[Subgroup]]:
    """The values of each metadata column with 2 to MOST_VALUES values, sorted; an empty text is a value.

    Args:
        matched: True labels and predictions.
        confidence: Level of the intervals; 0 for none.
    """
    subgroups = {}
    rows = np.arange(len(matched.names))
    for column, texts in matched.metadata.items():
        values, codes = np.unique(np.asarray(texts, dtype=object), return_inverse=True)
        if not 2 <= len(values) <= MOST_VALUES:
            continue
        shape = (len(rows), len(values))
        pictures = sparse.csr_array((np.ones(len(rows)), (rows, codes)), shape=shape)
        correct = sparse.csr_array((matched.correct.astype(float), (rows, codes)), shape=shape)
        accuracy = share_intervals(correct, pictures, matched.groups, confidence)
        counts = zip(values.tolist(), pictures.sum(axis=0), correct.sum(axis=0), accuracy, strict=True)
        subgroups[column] = [Subgroup(name, int(size), int(right), one) for name, size, right, one in counts]
    return subgroups
