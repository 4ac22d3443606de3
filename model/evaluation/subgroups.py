"""Accuracy of parts of the pictures: of each group (person, sender) and of each value of a metadata column."""

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
    """The pictures of one group or metadata value.

    correct: number of them that are answered correctly.
    """

    name: str
    pictures: int
    correct: int
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "accuracy": self.accuracy.to_dict()}


def subgroups_by_group(joined: MatchedAnswers) -> list[Subgroup]:
    """The groups that have a name, in the order of the truth; without intervals, as a group is what is drawn. None
    where there are no groups, or none with several pictures."""
    if joined.groups is None:
        return []
    pictures = np.bincount(joined.groups)
    right = np.bincount(joined.groups, weights=joined.correct).astype(np.int64)
    if pictures.max() == 1:
        return []
    return [
        Subgroup(name, int(of), int(correct), Interval(float(correct / of)))
        for name, of, correct in zip(joined.group_names, pictures, right, strict=True)
        if name
    ]


def subgroups_by_metadata(
    joined: MatchedAnswers, resamples: int, confidence: float, seed: int
) -> dict[str, list[Subgroup]]:
    """By column of 2 to MOST_VALUES values, its values in the order of their names, an empty cell being one of them.
    The resamples are those of scoring.evaluate, so that a value's interval is paired with all others."""
    found: dict[str, list[str]] = {}
    statistics = []
    rows = np.arange(len(joined.names))
    for column, cells in joined.metadata.items():
        names, codes = np.unique(np.asarray(cells, dtype=object), return_inverse=True)
        if 2 <= len(names) <= MOST_VALUES:
            found[column] = names.tolist()
            for counted in (np.ones(len(codes)), joined.correct.astype(float)):
                statistics.append(sparse.csr_array((counted, (rows, codes)), shape=(len(codes), len(names))))
    if not found:
        return {}
    totals = resample(sparse.csr_array(sparse.hstack(statistics)), joined.groups, resamples, seed)
    parts = iter(np.split(totals, np.cumsum([of.shape[1] for of in statistics])[:-1], axis=1))
    return {
        column: _slices(names, pictures=next(parts), right=next(parts), confidence=confidence)
        for column, names in found.items()
    }


def _slices(names: list[str], pictures: np.ndarray, right: np.ndarray, confidence: float) -> list[Subgroup]:
    """pictures, right: of the sample and its resamples, (1 + resamples, values)."""
    accuracy = right / np.where(pictures > 0, pictures, np.nan)
    return [
        Subgroup(name, int(pictures[0, at]), int(right[0, at]), interval(accuracy[:, at], confidence))
        for at, name in enumerate(names)
    ]
