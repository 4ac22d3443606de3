"""Confidence intervals of proportions (accuracy; recall, precision and F1 of a class), which also hold at 0 and 1.

Independent trials have Wilson's interval (Wilson 1927, JASA 22, pages 209 to 212; recommended by Brown, Cai and
DasGupta 2001, "Interval Estimation for a Binomial Proportion", Statistical Science 16, pages 101 to 133). Trials in
groups (images of one person) have that of Korn and Graubard (1998, "Confidence Intervals for Proportions with Small
Expected Number of Positive Counts Estimated from Survey Data", Survey Methodology 24, pages 193 to 201): Clopper and
Pearson's, for the number of independent trials that have the same variance. docs/evaluation.md has the coverage of both
in a simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import betaincinv, ndtri, stdtrit

from model.metrics.bootstrap import FEW_GROUPS, Interval, sum_groups
from model.metrics.scores import count_statistics

# Score of each class that a mean is over, by name of the mean
MEANS = {"macro_f1": "f1", "balanced_accuracy": "recall", "macro_precision": "precision", "macro_recall": "recall"}


@dataclass(frozen=True)
class Trials:
    """K proportions and the division of their trials among groups; float64 (K,) each.

    Attributes:
        proportion: Successes divided by trials; 0 without trials.
        count: Number of trials.
        groups: Number of groups that have trials.
        variance: Variance of the proportion over the groups (Cochran 1977, Sampling Techniques, equation 6.13); 0 with
            fewer than two groups.
        of_equal: Number of groups of equal size that have the same variance if all trials of a group agree (Kish 1965,
            Survey Sampling, section 11.7).
    """

    proportion: np.ndarray
    count: np.ndarray
    groups: np.ndarray
    variance: np.ndarray
    of_equal: np.ndarray

    @classmethod
    def from_groups(cls, successes: sparse.csr_array, trials: sparse.csr_array) -> Trials:
        """Sums over groups.

        Args:
            successes: (G, K), one row per group (per image, without groups); at most `trials`.
            trials: (G, K), numbers of trials.
        """
        count, right = _column_sums(trials), _column_sums(successes)
        proportion = np.divide(right, count, out=np.zeros_like(right), where=count > 0)
        with_trials = _column_sums(trials > 0)
        # sum over the groups of (successes - proportion * trials)^2
        size = _column_sums(trials.multiply(trials))
        squares = _column_sums(successes.multiply(successes)) - 2 * proportion * _column_sums(
            successes.multiply(trials)
        )
        squares = np.maximum(squares + proportion**2 * size, 0)
        has_variance = with_trials > 1
        correction = np.divide(with_trials, with_trials - 1, out=np.zeros_like(right), where=has_variance)
        variance = np.divide(correction * squares, count**2, out=np.zeros_like(right), where=has_variance)
        of_equal = np.divide(count**2, size, out=np.zeros_like(right), where=size > 0)
        return cls(proportion, count, with_trials, variance, of_equal)

    @property
    def are_independent(self) -> np.ndarray:
        """Whether each group has one trial, bool (K,)."""
        return self.count == self.groups

    def effective(self) -> np.ndarray:
        """Number of independent trials with the same variance, (K,): between `of_equal` and `count`. It is `of_equal`
        for proportions 0 and 1 and for few groups, because their variance is not informative."""
        binomial = self.proportion * (1 - self.proportion)
        effective = np.divide(binomial, self.variance, out=self.count.copy(), where=self.variance > 0)
        effective = np.where((binomial > 0) & (self.groups >= FEW_GROUPS), effective, self.of_equal)
        return np.clip(effective, self.of_equal, self.count)


def proportion_intervals(trials: Trials, confidence: float, units: int) -> list[Interval]:
    """The K proportions with their intervals; no interval without trials.

    Args:
        trials: The proportions.
        confidence: Nominal coverage; 0 for no intervals.
        units: Number of groups (of images, without groups) of the whole sample. There are no intervals for fewer than
            FEW_GROUPS.
    """
    if not confidence or units < FEW_GROUPS:
        return [Interval(float(value)) for value in trials.proportion]
    low, high = _wilson(trials.proportion, trials.count, confidence)
    exact_low, exact_high = _korn_graubard(trials, confidence)
    low = np.where(trials.are_independent, low, exact_low)
    high = np.where(trials.are_independent, high, exact_high)
    bounds = zip(trials.proportion, low, high, np.sqrt(trials.variance), trials.count, strict=True)
    return [
        Interval(float(value), float(lower), float(upper), float(own)) if count else Interval(float(value))
        for value, lower, upper, own, count in bounds
    ]


def share_intervals(
    successes: sparse.csr_array, trials: sparse.csr_array, groups: np.ndarray | None, confidence: float
) -> list[Interval]:
    """K shares of images with their intervals.

    Args:
        successes: (n, K), one row per image; at most `trials`.
        trials: (n, K), 1 if an image counts, otherwise 0.
        groups: int64 (n,), 0 ... G - 1; None without groups.
        confidence: Nominal coverage; 0 for no intervals.
    """
    units = number_of_units(groups, trials.shape[0])
    if groups is not None:
        successes, trials = sum_groups(successes, groups), sum_groups(trials, groups)
    return proportion_intervals(Trials.from_groups(successes, trials), confidence, units)


def accuracy_interval(correct: np.ndarray, groups: np.ndarray | None, confidence: float) -> Interval:
    """Share of the images that are predicted correctly.

    Args:
        correct: bool (n,).
        groups, confidence: As of class_intervals.
    """
    rows = sparse.csr_array(np.asarray(correct, dtype=float)[:, None])
    return share_intervals(rows, sparse.csr_array(np.ones((len(correct), 1))), groups, confidence)[0]


def class_intervals(
    truth: np.ndarray, answers: np.ndarray, num_classes: int, groups: np.ndarray | None, confidence: float
) -> dict[str, list[Interval]]:
    """precision, recall and f1 of each class with their intervals, C each.

    Args:
        truth: True classes (n,).
        answers: Predicted classes (n,), -1 without a prediction.
        num_classes: C.
        groups: int64 (n,), 0 ... G - 1; None without groups.
        confidence: Nominal coverage; 0 for no intervals.
    """
    rows, units = count_statistics(truth, answers, num_classes), number_of_units(groups, len(truth))
    if groups is not None:
        rows = sum_groups(rows, groups)
    right, of_class, answered = (rows[:, start : start + num_classes] for start in np.arange(3) * num_classes)
    # images that are of a class or predicted as it: TP / (TP + FP + FN) is a proportion of these
    either = sparse.csr_array(of_class + answered - right)
    by_score = {
        name: proportion_intervals(Trials.from_groups(right, trials), confidence, units)
        for name, trials in (("precision", answered), ("recall", of_class), ("f1", either))
    }
    return {**by_score, "f1": [_f1(jaccard) for jaccard in by_score["f1"]]}


def with_border_intervals(
    scores: dict[str, Interval], by_class: dict[str, list[Interval]], confidence: float
) -> dict[str, Interval]:
    """Adds intervals to means over classes that are the same in all resamples, as if all predictions are correct.

    They are computed from the intervals of the classes, assumed independent (Zou and Donner 2008, "Construction of
    confidence limits about effect measures", Statistics in Medicine 27, pages 1693 to 1702).

    Args:
        scores: By their names (metrics.scores.scores_of).
        by_class: From class_intervals.
        confidence: Nominal coverage; 0 for no intervals.
    """
    means = {}
    for name, score in MEANS.items():
        parts = by_class[score]
        if name == "balanced_accuracy":  # over the classes with images
            parts = [part for part in parts if part.low is not None]
        value, bounded = scores[name].value, [part for part in parts if part.low is not None]
        if confidence and scores[name].low is None and bounded and math.isclose(value, _mean(parts), abs_tol=1e-9):
            below = math.hypot(*(part.value - float(part.low or 0) for part in bounded)) / len(parts)
            above = math.hypot(*(float(part.high or 0) - part.value for part in bounded)) / len(parts)
            means[name] = Interval(value, max(value - below, 0.0), min(value + above, 1.0), scores[name].deviation)
    return {**scores, **means}


def _mean(parts: list[Interval]) -> float:
    return sum(part.value for part in parts) / len(parts)


def number_of_units(groups: np.ndarray | None, images: int) -> int:
    """Number of groups (of images, without groups)."""
    return images if groups is None else int(groups.max(initial=-1)) + 1


def _f1(jaccard: Interval) -> Interval:
    """F1 = 2 TP / (2 TP + FP + FN) as a function of TP / (TP + FP + FN), in which it increases."""

    def f1(value: float) -> float:
        return 2 * value / (1 + value)

    value = f1(jaccard.value)
    if jaccard.low is None or jaccard.high is None or jaccard.deviation is None:
        return Interval(value)
    # the derivative of f1 is 2 / (1 + value)^2
    return Interval(value, f1(jaccard.low), f1(jaccard.high), 2 * jaccard.deviation / (1 + jaccard.value) ** 2)


def _wilson(proportion: np.ndarray, count: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's bounds, (K,) each. Brown, Cai and DasGupta 2001, equation 4."""
    z = ndtri((1 + confidence) / 2)
    count = np.maximum(count, 1)
    centre = (proportion + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(proportion * (1 - proportion) / count + z**2 / (4 * count**2))
    # exactly 0 and 1 at these proportions
    low, high = np.clip(centre - half, 0, proportion), np.clip(centre + half, proportion, 1)
    return np.where(proportion == 0, 0.0, low), np.where(proportion == 1, 1.0, high)


def _korn_graubard(trials: Trials, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Korn and Graubard's bounds, (K,) each. With few groups the number of independent trials is not estimated, so
    there is no correction for degrees of freedom."""
    tail = (1 - confidence) / 2
    freedom = np.maximum(trials.groups - 1, 1)
    ratio = np.where(trials.groups >= FEW_GROUPS, (ndtri(1 - tail) / stdtrit(freedom, 1 - tail)) ** 2, 1.0)
    count = np.maximum(trials.effective() * ratio, 1e-9)
    right = trials.proportion * count
    wrong = count - right
    # Clopper and Pearson 1934, by quantiles of the beta distribution (Brown, Cai and DasGupta 2001, section 4.2.1)
    low = np.where(right > 0, betaincinv(np.maximum(right, 1e-9), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1e-9), 1 - tail), 1.0)
    return low, high


def _column_sums(rows: sparse.csr_array) -> np.ndarray:
    return np.asarray(rows.sum(axis=0), dtype=float).ravel()
