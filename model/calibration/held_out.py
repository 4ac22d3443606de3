"""Predictions for images that a model was not trained on, from which its decision is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme

IMAGE = "image"  # what is counted without groups
SMALLEST = 1e-7  # probability; predictions are float32


@dataclass(frozen=True)
class HeldOut:
    """Predictions with true classes.

    Attributes:
        scheme: Labels of the C classes.
        probabilities: float64 (n, C).
        truth: int64 (n,), true classes.
        groups: int64 (n,), the group of each image, such as a person: 0 ... G - 1. Without groups, the rows.
        group_label: Name of the column of groups; None without groups.
    """

    scheme: Scheme
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: NDArray[np.int64]
    group_label: str | None = None

    @classmethod
    def from_matched(cls, matched: MatchedAnswers) -> HeldOut:
        """The images with a label of every attribute and with probabilities; none if there are no probabilities."""
        complete = matched.complete
        probabilities = complete.probabilities
        if probabilities is None:
            probabilities = np.full((len(complete.names), matched.scheme.num_classes), np.nan)
        rows = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
        groups = rows if complete.groups is None else complete.groups[rows]
        groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
        label = None if complete.groups is None else matched.group_label
        return cls(matched.scheme, probabilities[rows], complete.truth[rows], groups, label)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def num_groups(self) -> int:
        """Number of groups."""
        return int(self.groups.max(initial=-1)) + 1

    @property
    def unit(self) -> str:
        """What is counted as independent: group, or image without groups."""
        return "group" if self.group_label else IMAGE

    @property
    def log_probabilities(self) -> NDArray[np.float64]:
        """float64 (n, C), finite."""
        return np.log(np.maximum(self.probabilities, SMALLEST))

    def take(self, rows: NDArray[np.int64]) -> HeldOut:
        """These rows; groups are numbered anew."""
        groups = np.unique(self.groups[rows], return_inverse=True)[1].astype(np.int64)
        return HeldOut(self.scheme, self.probabilities[rows], self.truth[rows], groups, self.group_label)

    def folds(self, number: int, seed: int) -> NDArray[np.int64]:
        """A random fold of each row, int64 (n,), from 0 to number - 1; the images of a group are in one fold.

        Args:
            number: Number of folds, at most the number of groups.
            seed: Seed of the folds.
        """
        order = np.random.default_rng(seed).permutation(self.num_groups)
        fold_of_group = np.empty(self.num_groups, np.int64)
        fold_of_group[order] = np.arange(self.num_groups) % number
        return fold_of_group[self.groups]
