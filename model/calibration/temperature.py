"""The temperature of the maximum likelihood of the true classes (Guo et al. 2017, "On Calibration of Modern Neural
Networks", section 4.2). model.cleaning.temperature has the variant for labels that are partly wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

LOWEST, HIGHEST = 0.1, 10.0  # temperatures


def negative_log_likelihood(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Mean of -log softmax(scores)[truth].

    Args:
        scores: float64 (n, C).
        truth: int64 (n,).
    """
    return float((logsumexp(scores, axis=1) - scores[np.arange(len(truth)), truth]).mean())


def fit_temperature(log_probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The temperature, from LOWEST to HIGHEST, by which the log probabilities are divided; 1 without images.

    Args:
        log_probabilities: float64 (n, C), finite.
        truth: int64 (n,), true classes.
    """
    if not len(truth):
        return 1.0

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(log_probabilities / np.exp(log_temperature), truth)

    # the loss is convex in 1 / temperature, so it has one minimum in log temperature too
    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
