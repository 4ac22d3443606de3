"""Confidence intervals of proportions (accuracy, recall, precision, F1 of a class), exact at 0 and 1 too.

Independent trials have Wilson's interval (Wilson 1927, JASA 22, pages 209 to 212; recommended by Brown, Cai and
DasGupta 2001, "Interval Estimation for a Binomial Proportion", Statistical Science 16, page 115). Trials in groups
(images of one person) have that of Korn and Graubard (1998, "Confidence Intervals for Proportions with Small Expected
Number of Positive Counts Estimated from Survey Data", Survey Methodology 24, page 196): Clopper and Pearson's with the
number of independent trials that have the same variance. docs/evaluation.md has what both cover in a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import betaincinv, ndtri, stdtrit

from model.metrics.bootstrap import Interval, sum_groups

FEW_GROUPS = 10  # below, the variance over the groups is too uncertain: all trials of a group count as one


@dataclass(frozen=True)
class Trials:
    """K proportions and how their trials are divided among groups; float (K,) each.

    Attributes:
        proportion: Successes by trials; 0 without trials.
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
    def from_rows(cls, successes: sparse.csr_array, trials: sparse.csr_array, groups: np.ndarray | None) -> Trials:
        """Sums up rows.

        Args:
            successes: (n, K), a row an image; at most `trials`.
            trials: (n, K), numbers of trials.
            groups: integers (n,), 0 ... G - 1; None if each image is a group.
        """
        if groups is not None:
            successes, trials = sum_groups(successes, groups), sum_groups(trials, groups)
        count, right = _column_sums(trials), _column_sums(successes)
        proportion = np.divide(right, count, out=np.zeros_like(right), where=count > 0)
        with_trials = _column_sums(trials > 0)
        # sum over the groups of (successes - proportion * trials)^2
        size = _column_sums(trials.multiply(trials))
        squares = _column_sums(successes.multiply(successes)) - 2 * proportion * _column_sums(
            successes.multiply(trials)
        )
        squares = np.maximum(squares + proportion**2 * size, 0)
        several = with_trials > 1
        correction = np.divide(with_trials, with_trials - 1, out=np.zeros_like(right), where=several)
        variance = np.divide(correction * squares, count**2, out=np.zeros_like(right), where=several)
        of_equal = np.divide(count**2, size, out=np.zeros_like(right), where=size > 0)
        return cls(proportion, count, with_trials, variance, of_equal)

    @property
    def are_independent(self) -> np.ndarray:
        """Whether each group has one trial, bool (K,)."""
        return self.count == self.groups

    def effective(self) -> np.ndarray:
        """Number of independent trials with the same variance, (K,): from one a group to all."""
        binomial = self.proportion * (1 - self.proportion)
        known = (self.variance > 0) & (self.groups >= FEW_GROUPS)
        effective = np.divide(binomial, self.variance, out=self.of_equal.copy(), where=known)
        return np.clip(effective, self.of_equal, self.count)


def proportion_intervals(
    trials: Trials, confidence: float, form: Callable[[np.ndarray], np.ndarray] = lambda values: values
) -> list[Interval]:
    """The K proportions with their intervals; none without trials.

    Args:
        trials: The proportions.
        confidence: Nominal coverage.
        form: What is reported, an increasing function of the proportion.
    """
    low, high = _wilson(trials.proportion, trials.count, confidence)
    exact_low, exact_high = _korn_graubard(trials, confidence)
    low = np.where(trials.are_independent, low, exact_low)
    high = np.where(trials.are_independent, high, exact_high)
    deviation = np.sqrt(trials.variance)
    bounds = zip(form(trials.proportion), form(low), form(high), deviation, trials.count, strict=True)
    return [
        Interval(float(value), float(lower), float(upper), float(own)) if count else Interval(float(value))
        for value, lower, upper, own, count in bounds
    ]


def f1_of_jaccard(values: np.ndarray) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN) from TP / (TP + FP + FN), the share of right answers among the images that are of a
    class or answered as it, which is a proportion."""
    return 2 * values / (1 + values)


def _wilson(proportion: np.ndarray, count: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's bounds, (K,) each. Brown, Cai and DasGupta 2001, equation 4."""
    z = ndtri((1 + confidence) / 2)
    count = np.maximum(count, 1)
    centre = (proportion + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(proportion * (1 - proportion) / count + z**2 / (4 * count**2))
    # 0 and 1 to the last digit
    low, high = np.clip(centre - half, 0, proportion), np.clip(centre + half, proportion, 1)
    return np.where(proportion == 0, 0.0, low), np.where(proportion == 1, 1.0, high)


def _korn_graubard(trials: Trials, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Korn and Graubard's bounds, (K,) each. With few groups the number of independent trials is no estimate, so its
    correction for degrees of freedom is left out."""
    tail = (1 - confidence) / 2
    freedom = np.maximum(trials.groups - 1, 1)
    ratio = np.where(trials.groups >= FEW_GROUPS, (ndtri(1 - tail) / stdtrit(freedom, 1 - tail)) ** 2, 1.0)
    count = np.maximum(trials.effective() * ratio, 1e-9)
    right = trials.proportion * count
    wrong = count - right
    # Clopper and Pearson 1934, by quantiles of the beta distribution (Brown, Cai and DasGupta 2001, page 106)
    low = np.where(right > 0, betaincinv(np.maximum(right, 1e-9), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1e-9), 1 - tail), 1.0)
    return low, high


def _column_sums(rows: sparse.csr_array) -> np.ndarray:
    return np.asarray(rows.sum(axis=0), dtype=float).ravel()
