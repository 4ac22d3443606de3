"""Weights of an ensemble that maximise the likelihood of its mixture, and their gain on images they were not fitted on.

The probability of an image's true class is sum_k w_k p_k(y), with weights w_k >= 0 of sum 1. The mean of its logarithm
is concave in w; the EM algorithm for mixing proportions (Dempster, Laird and Rubin 1977, Journal of the Royal
Statistical Society B 39, section 4.3) converges to its maximum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import stdtrit

from model.data.splits import assign
from model.metrics.bootstrap import FEW_GROUPS, Interval, interval, resample
from model.metrics.scores import Counts, count_statistics, scores_of

FLOOR = 1e-12  # lowest probability of a true class: one image that all models exclude would decide everything
TOLERANCE = 1e-12  # gain of the mean log likelihood in one iteration at which EM ends
MOST_ITERATIONS = 20_000
FOLDS = 5  # of the nested gain
CONFIDENCE = 0.95


def fit_weights(own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights that maximise the mean log likelihood of the mixture.

    Args:
        own: Each model's probability of the true class of each image, float64 (N, K).

    Returns:
        float64 (K,), at least 0, of sum 1. Models that are equal on all images share their weight equally.
    """
    own = np.maximum(own, FLOOR)
    weights = np.full(own.shape[1], 1 / own.shape[1])
    before = -np.inf
    for _ in range(MOST_ITERATIONS):
        mixture = own @ weights
        likelihood = float(np.log(mixture).mean())
        if likelihood - before < TOLERANCE:
            break
        before = likelihood
        # each model's share in the image's probability (E), and the mean of the shares (M)
        weights = weights * (own / mixture[:, None]).mean(axis=0)
        weights /= weights.sum()
    return weights


@dataclass(frozen=True)
class Gain:
    """Scores with fitted weights minus scores with equal weights, on images that the weights were not fitted on.

    Attributes:
        log_likelihood: Of the mean log probability of the true class.
        accuracy, macro_f1: Of these scores.
        fold_weights: The weights of each fold, float64 (folds, K).
    """

    log_likelihood: Interval
    accuracy: Interval
    macro_f1: Interval
    fold_weights: NDArray[np.float64]

    @property
    def is_positive(self) -> bool:
        """Whether the interval of the log likelihood, which the weights maximise, is above 0."""
        return self.log_likelihood.low is not None and self.log_likelihood.low > 0


def nested_gain(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    decide: Callable[[NDArray[np.float64]], NDArray[np.int64]],
    resamples: int = 2000,
    seed: int = 0,
) -> Gain | None:
    """The gain of fitted weights by cross-validation: no weights are scored on groups that they were fitted on.

    Args:
        probabilities: float64 (K, N, C).
        truth: True classes, int64 (N,), 0 or more.
        groups: int64 (N,), 0 to G - 1; None if each image is a group of its own.
        decide: Classes of probabilities (N, C), int64 (N,).
        resamples: Number of bootstrap resamples of groups for the intervals.
        seed: Seed of folds and resamples.

    Returns:
        The gain; None with a single group.
    """
    count, classes = len(truth), probabilities.shape[2]
    unit_of_row = np.arange(count) if groups is None else groups
    units = len(np.unique(unit_of_row))
    if units < 2:
        return None
    folds = assign(unit_of_row.astype(str), truth, [1.0] * min(FOLDS, units), seed)
    own = probabilities[:, np.arange(count), truth].T
    fold_weights = np.stack([fit_weights(own[folds != fold]) for fold in range(folds.max() + 1)])
    fitted = np.einsum("nk,knc->nc", fold_weights[folds], probabilities)
    equal = probabilities.mean(axis=0)
    # one row of statistics per image, so that both are resampled together
    logs = [np.log(np.maximum(mixture[np.arange(count), truth], FLOOR)) for mixture in (fitted, equal)]
    counts = [count_statistics(truth, decide(mixture), classes) for mixture in (fitted, equal)]
    columns = sparse.csr_array(np.stack([logs[0] - logs[1], np.ones(count)], axis=1))
    totals = resample(sparse.csr_array(sparse.hstack([columns, *counts])), groups, resamples, seed)
    differences, images = totals[:, 0], totals[:, 1]
    scores = [scores_of(Counts.from_totals(part)) for part in np.split(totals[:, 2:], 2, axis=1)]
    accuracy, macro_f1 = (
        interval(scores[0][name] - scores[1][name], CONFIDENCE, units, is_difference=True)
        for name in ("accuracy", "macro_f1")
    )
    return Gain(_mean_interval(differences / np.maximum(images, 1), units), accuracy, macro_f1, fold_weights)


def _mean_interval(values: NDArray[np.float64], units: int) -> Interval:
    """The interval of a mean without bounds, as of bootstrap.interval. values: of the sample and of each resample."""
    value, resampled = float(values[0]), values[1:]
    if len(resampled) < 2 or units < FEW_GROUPS:
        return Interval(value)
    deviation = float(resampled.std(ddof=1))
    half = float(stdtrit(units - 1, (1 + CONFIDENCE) / 2)) * deviation
    return Interval(value, value - half, value + half, deviation)
