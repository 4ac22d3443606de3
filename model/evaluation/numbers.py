"""Scores of estimated numbers: the mean absolute error, with its interval over groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import stdtrit

from model.evaluation.matched_answers import MatchedAnswers
from model.metrics.bootstrap import FEW_GROUPS, NO_DEVIATION, Interval, resample
from model.metrics.proportions import number_of_units


@dataclass(frozen=True)
class NumberScores:
    """Scores of the estimated number of an attribute.

    mean_absolute_error: Mean of |estimated - true|, in the unit of the number.
    mean_error: Mean of estimated - true; negative if estimates are too low on average.
    pictures: Number of images with a true and an estimated number.
    unestimated: Number of images with a true number only, which the scores ignore.
    """

    mean_absolute_error: Interval
    mean_error: float
    pictures: int
    unestimated: int

    def to_dict(self) -> dict[str, Any]:
        """The scores as in evaluation.json."""
        return {
            "mean_absolute_error": self.mean_absolute_error.to_dict(),
            "mean_error": self.mean_error,
            "pictures": self.pictures,
            "unestimated": self.unestimated,
        }


def score_numbers(matched: MatchedAnswers, resamples: int, confidence: float, seed: int) -> dict[str, NumberScores]:
    """The scores of each estimated number by attribute; only attributes with an image to score.

    Args:
        matched: True labels and predictions.
        resamples: Number of bootstrap resamples; 0 for no intervals.
        confidence: Level of the intervals.
        seed: Seed of the resamples.
    """
    scores = {}
    for name, numbers in matched.numbers.items():
        errors = numbers.estimated - numbers.true
        known = np.isfinite(errors)
        if not known.any():
            continue
        groups = None
        if matched.groups is not None:
            groups = np.unique(matched.groups[known], return_inverse=True)[1]
        scores[name] = NumberScores(
            mean_absolute_error=mean_interval(np.abs(errors[known]), groups, resamples, confidence, seed),
            mean_error=float(errors[known].mean()),
            pictures=int(known.sum()),
            unestimated=int((np.isfinite(numbers.true) & ~known).sum()),
        )
    return scores


def mean_interval(
    values: np.ndarray, groups: np.ndarray | None, resamples: int, confidence: float, seed: int
) -> Interval:
    """The mean of values that are at least 0, with its interval.

    The standard deviation of the mean over bootstrap resamples of whole groups gives the interval, which is symmetric
    on the logarithmic scale, as the mean cannot be negative (Efron and Tibshirani 1993, section 12.6; see
    model.metrics.bootstrap).

    Args:
        values: float (n,).
        groups: int64 (n,), 0 ... G - 1; None to draw single images.
        resamples: Number of resamples; 0 for no interval.
        confidence: Nominal coverage.
        seed: Seed of the resamples.
    """
    # sum and number of the values of each resample; each has at least one image
    totals = resample(sparse.csr_array(np.stack([values, np.ones(len(values))], axis=1)), groups, resamples, seed)
    means = totals[:, 0] / totals[:, 1]
    mean, units = float(means[0]), number_of_units(groups, len(values))
    deviation = float(means[1:].std(ddof=1)) if resamples > 1 else None
    if deviation is None or units < FEW_GROUPS or deviation < NO_DEVIATION or mean <= 0:
        return Interval(mean, deviation=deviation)
    # the derivative of log is 1 / mean
    factor = math.exp(float(stdtrit(units - 1, (1 + confidence) / 2)) * deviation / mean)
    return Interval(mean, mean / factor, mean * factor, deviation)
