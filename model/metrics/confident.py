"""Confident learning: thresholds of the classes, and counts of label errors, from out-of-fold probabilities.

Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, pages 1373
to 1411. cleanlab (Apache-2.0) is its reference implementation, which the tests compare with; it cannot take groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def class_thresholds(own: NDArray[np.float64], codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The mean probability of each class over the rows labelled with it (equation 2), float64 (classes,); inf for a
    class without rows.

    Args:
        own: float64 (n,), the probability of each given label (self_confidence).
        codes: int64 (n,), the given classes.
        classes: Number of classes.
    """
    counts = np.bincount(codes, minlength=classes)
    sums = np.bincount(codes, weights=own, minlength=classes)
    return np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)


def confident_joint(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Estimated numbers of rows by given and true class, float64 (K given, K true); each row sums to its class's count.

    A row counts for the most probable class among those whose probability reaches their threshold (equation 1); the
    counts are then scaled to the numbers of labels (equation 3). The diagonal of a class that no row counts for is
    set to its count.

    Args:
        probabilities: float64 (n, K), out of fold.
        codes: int64 (n,), the given classes.
    """
    size = probabilities.shape[1]
    thresholds = class_thresholds(self_confidence(probabilities, codes), codes, size)
    reached = probabilities >= thresholds - 1e-6  # tolerance of cleanlab
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    rows = np.flatnonzero(reached.any(axis=1))
    joint = np.zeros((size, size))
    np.add.at(joint, (codes[rows], best[rows]), 1)
    np.fill_diagonal(joint, np.where(np.diag(joint) == 0, 1, np.diag(joint)))
    counts = np.bincount(codes, minlength=size)
    return np.asarray(joint / joint.sum(axis=1, keepdims=True) * counts[:, None], np.float64)


def self_confidence(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each given label, float64 (n,).

    Args:
        probabilities: float64 (n, K), out of fold.
        codes: int64 (n,), the given classes.
    """
    return np.asarray(probabilities[np.arange(len(codes)), codes], np.float64)
