"""model/metrics/calibration.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from model.metrics.scores import divide

CALIBRATION_BINS = 15  # Guo et al. 2017, section 5


def calibration_error(probabilities: ArrayLike, truth: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error of the most probable class, in bins of equal width of its probability
    (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3).

    probabilities: (n, C), a row of NaN where there are none, which is left out; truth: classes (n,).
    """
    return float(calibration_error_of(calibration_statistics(probabilities, truth, bins).sum(axis=0)))


def calibration_statistics(
    probabilities: ArrayLike, truth: ArrayLike, bins: int = CALIBRATION_BINS
) -> sparse.csr_array:
    """What reliability_of and calibration_error_of add up, a row a picture: (n, 3 bins) float, in the picture's bin
    its confidence, whether it is right, and a 1; nothing where the picture has no probabilities."""
    probabilities, truth = np.asarray(probabilities, dtype=float), np.asarray(truth, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    top: Any = probabilities[known].argmax(axis=1)
    confidence = probabilities[known, top]
    bin_of = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    values = np.concatenate([confidence, top == truth[known], np.ones(len(known))])
    columns = np.concatenate([bin_of, bins + bin_of, 2 * bins + bin_of])
    return sparse.csr_array((values, (np.tile(known, 3), columns)), shape=(len(truth), 3 * bins))


def reliability_of(totals: np.ndarray) -> dict[str, np.ndarray]:
    """Of each bin, from summed rows of calibration_statistics, (..., bins): pictures, their mean confidence, and
    accuracy, the share of them that the most probable class is right for; NaN where a bin has no picture."""
    confidence, right, pictures = np.split(totals, 3, axis=-1)
    known = np.where(pictures > 0, pictures, np.nan)
    return {"pictures": pictures, "confidence": confidence / known, "accuracy": right / known}


def calibration_error_of(totals: np.ndarray) -> np.ndarray:
    """The calibration error, (...), from summed rows of calibration_statistics, (..., 3 bins)."""
    confidence, right, pictures = np.split(totals, 3, axis=-1)
    return divide(np.abs(confidence - right).sum(axis=-1), pictures.sum(axis=-1))
