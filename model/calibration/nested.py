"""What a fitted decision gains on images that it was not fitted on: it is fitted on some groups and scored on the
others, so that each group is scored once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model.calibration.held_out import HeldOut
from model.decisions import Decision
from model.metrics.bootstrap import Interval, interval, resample
from model.metrics.scores import Counts, count_statistics

FOLDS = 5
SEED = 0  # of the folds and of the resamples
RESAMPLES = 2000
CONFIDENCE = 0.95

Score = Callable[[Counts], NDArray[np.float64]]


@dataclass(frozen=True)
class Gain:
    """A score with and without a fitted decision, on images that it was not fitted on, and the difference."""

    without: Interval
    fitted: Interval
    difference: Interval

    @property
    def is_positive(self) -> bool:
        """Whether the score is higher with the decision."""
        return self.difference.value > 0


def number_of_folds(held_out: HeldOut) -> int:
    """FOLDS, or fewer if there are fewer groups."""
    return min(FOLDS, held_out.num_groups)


def nested_classes(held_out: HeldOut, fit: Callable[[HeldOut], Decision]) -> NDArray[np.int64]:
    """The predicted class of each image, int64 (n,), by a decision that was fitted on the groups of other folds.

    Args:
        held_out: Predictions of at least two groups.
        fit: Fits a decision.
    """
    number = number_of_folds(held_out)
    folds, classes = held_out.folds(number, SEED), np.empty(len(held_out), np.int64)
    for fold in range(number):
        decision = fit(held_out.take(np.flatnonzero(folds != fold)))
        classes[folds == fold] = decision.classes(held_out.probabilities[folds == fold])
    return classes


def nested_gain(held_out: HeldOut, fit: Callable[[HeldOut], Decision], score: Score) -> Gain:
    """What `fit` gains over the most probable class, with bootstrap intervals over groups.

    Args:
        held_out: Predictions of at least two groups.
        fit: Fits a decision.
        score: A score of Counts, between 0 and 1.
    """
    num_classes = held_out.scheme.num_classes
    answers = (Decision().classes(held_out.probabilities), nested_classes(held_out, fit))
    rows = [count_statistics(held_out.truth, own, num_classes) for own in answers]
    totals = resample(sparse.csr_array(sparse.hstack(rows)), held_out.groups, RESAMPLES, SEED)
    without, fitted = (score(Counts.from_totals(part)) for part in np.split(totals, 2, axis=1))
    units = held_out.num_groups
    return Gain(
        interval(without, CONFIDENCE, units),
        interval(fitted, CONFIDENCE, units),
        interval(fitted - without, CONFIDENCE, units, is_difference=True),
    )
