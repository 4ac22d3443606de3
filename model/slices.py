"""Accuracy of parts of the pictures: of each group (person, sender) and of each value of a metadata column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from model.answers import Joined
from model.intervals import Interval, interval, resample

MOST_VALUES = 20  # a column with more is a name, a number or a date


@dataclass(frozen=True)
class Slice:
    """The pictures of one group or value. right: how many of them are answered right."""

    name: str
    pictures: int
    right: int
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        accuracy = {"value": self.accuracy.value, "low": self.accuracy.low, "high": self.accuracy.high}
        return {"pictures": self.pictures, "accuracy": accuracy}


def group_slices(joined: Joined) -> list[Slice]:
    """The groups that have a name, in the order of the truth; without intervals, as a group is what is drawn. None
    where there are no groups, or none with several pictures."""
    if joined.groups is None:
        return []
    pictures = np.bincount(joined.groups)
    right = np.bincount(joined.groups, weights=joined.right).astype(np.int64)
    if pictures.max() == 1:
        return []
    return [
        Slice(name, int(of), int(correct), Interval(float(correct / of)))
        for name, of, correct in zip(joined.group_names, pictures, right, strict=True)
        if name
    ]


def metadata_slices(joined: Joined, resamples: int, confidence: float, seed: int) -> dict[str, list[Slice]]:
    """By column of 2 to MOST_VALUES values, its values in the order of their names, an empty cell being one of them.
    The resamples are those of scoring.evaluate, so that a value's interval is paired with all others."""
    found = {}
    for column, cells in joined.metadata.items():
        names, codes = np.unique(np.asarray(cells, dtype=object), return_inverse=True)
        if 2 <= len(names) <= MOST_VALUES:
            found[column] = _of_column(names.tolist(), codes, joined, resamples, confidence, seed)
    return found


def _of_column(
    names: list[str], codes: np.ndarray, joined: Joined, resamples: int, confidence: float, seed: int
) -> list[Slice]:
    rows = np.arange(len(codes))
    shape = (len(codes), len(names))
    of = sparse.csr_array((np.ones(len(codes)), (rows, codes)), shape=shape)
    right = sparse.csr_array((joined.right.astype(float), (rows, codes)), shape=shape)
    totals = resample(sparse.csr_array(sparse.hstack([of, right])), joined.groups, resamples, seed)
    pictures, correct = np.split(totals, 2, axis=1)
    accuracy = correct / np.where(pictures > 0, pictures, np.nan)
    return [
        Slice(name, int(pictures[0, at]), int(correct[0, at]), interval(accuracy[:, at], confidence))
        for at, name in enumerate(names)
    ]
