"""Calibration: expected calibration error and reliability bins of the most probable class (Guo et al. 2017, "On
Calibration of Modern Neural Networks").

The error of a sample overestimates that of the population, because deviations of single bins do not cancel: with 364
images it is about 0.05 if the true error is 0. Its interval accounts for this bias.

As in model.metrics.scores, each image has a row of statistics, and results are computed from summed rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import ndtr, stdtrit

from model.metrics.bootstrap import FEW_GROUPS, NO_DEVIATION, Interval
from model.metrics.scores import NO_TRUTH, divide

CALIBRATION_BINS = 15  # Guo et al. 2017, section 5


def calibration_statistics(
    probabilities: ArrayLike, truth: ArrayLike, bins: int = CALIBRATION_BINS
) -> sparse.csr_array:
    """The statistics that calibration_error_of and reliability_of sum up.

    Args:
        probabilities: (n, C); a row of NaN for an image without probabilities, which is ignored.
        truth: True classes (n,), -1 if not known; such images are ignored.
        bins: Number of bins of equal width for the probability of the most probable class; a bin has its upper edge.

    Returns:
        float64 (n, 3 bins), one row per image. The columns of its bin have the probability of the most probable class,
        whether that class is correct, and 1. The row of an ignored image is 0.
    """
    probabilities, truth = np.asarray(probabilities, dtype=float), np.asarray(truth, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(probabilities).any(axis=1) & (truth != NO_TRUTH))
    top: Any = probabilities[known].argmax(axis=1)
    confidence = probabilities[known, top]
    bin_indices = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    values = np.concatenate([confidence, top == truth[known], np.ones(len(known))])
    columns = np.concatenate([bin_indices, bins + bin_indices, 2 * bins + bin_indices])
    return sparse.csr_array((values, (np.tile(known, 3), columns)), shape=(len(truth), 3 * bins))


def reliability_of(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Number of images, mean confidence and accuracy of each bin, (..., bins) each; NaN for an empty bin.

    Args:
        totals: (..., 3 bins), summed rows of calibration_statistics.
    """
    confidence, right, pictures = np.split(totals, 3, axis=-1)
    denominator = np.where(pictures > 0, pictures, np.nan)
    return {"pictures": pictures, "confidence": confidence / denominator, "accuracy": right / denominator}


def reliability_trials(statistics: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Correctness of the most probable class of each image, and 1, in the column of its bin, float64 (n, bins) each.

    Args:
        statistics: Rows of calibration_statistics.
    """
    bins = statistics.shape[1] // 3
    return statistics[:, bins : 2 * bins], statistics[:, 2 * bins :]


def calibration_error_of(totals: np.ndarray) -> np.ndarray:
    """Expected calibration error, (...) (Guo et al. 2017, equation 3): the mean over bins of |accuracy - confidence|,
    weighted by images.

    Args:
        totals: (..., 3 bins), summed rows of calibration_statistics.
    """
    confidence, right, pictures = np.split(totals, 3, axis=-1)
    return divide(np.abs(confidence - right).sum(axis=-1), pictures.sum(axis=-1))


def calibration_error_interval(totals: np.ndarray, confidence: float, units: int) -> Interval:
    """The expected calibration error with its interval, which is wider below than above.

    The upper bound is the error plus Student's t times the deviation over the resamples. The lower bound subtracts the
    same and the bias; it is 0 if a perfectly calibrated model could have that error. docs/evaluation.md has the
    coverage of the interval.

    Args:
        totals: (1 + resamples, 3 bins), summed rows of calibration_statistics of the sample and of each resample.
        confidence: Nominal coverage.
        units: Number of groups (of images, without groups). There is no interval for fewer than FEW_GROUPS.
    """
    errors = calibration_error_of(totals)
    value = float(errors[0])
    if len(errors) < 3:
        return Interval(value)
    deviation = float(errors[1:].std(ddof=1))
    if units < FEW_GROUPS or deviation < NO_DEVIATION:
        return Interval(value, deviation=deviation)
    half = float(stdtrit(units - 1, (1 + confidence) / 2)) * deviation

    # error of each bin before the absolute value is taken; normal with these standard deviations
    sure, right, pictures = np.split(totals, 3, axis=-1)
    gaps = divide(sure - right, np.broadcast_to(pictures.sum(axis=-1, keepdims=True), sure.shape))
    deviations = gaps[1:].std(ddof=1, axis=0)
    without_error = _mean_of_folded(np.zeros_like(deviations), deviations).sum()
    if value - half <= without_error:
        return Interval(value, 0.0, min(value + half, 1.0), deviation)
    # remove the bias: the square of a gap is too large by its variance
    unbiased = np.sqrt(np.maximum(gaps[0] ** 2 - deviations**2, 0))
    bias = float((_mean_of_folded(unbiased, deviations) - unbiased).sum())
    return Interval(value, max(value - bias - half, 0.0), min(value + half, 1.0), deviation)


def _mean_of_folded(means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Mean of the absolute value of normal variables (Leone, Nelson and Nottingham 1961, "The Folded Normal
    Distribution", Technometrics 3, page 543).

    Args:
        means, deviations: Means and standard deviations of the variables, (...).
    """
    ratio = np.divide(means, deviations, out=np.full_like(means, np.inf), where=deviations > 0)
    density = np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2)
    return deviations * density + means * (1 - 2 * ndtr(-ratio))
