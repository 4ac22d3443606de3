"""Calibration of out-of-fold probabilities by a temperature if some of the labels are wrong (Guo et al. 2017, "On
Calibration of Modern Neural Networks", section 4.2). model.metrics.calibration measures the error that it reduces.

The likelihood has a second parameter, the share of labels that are random; otherwise a good model would have to become
unsure, and no probability would reach a threshold such as 0.9. It is the smallest share that is about as likely as the
best one, so that the errors of a poor model do not pass for wrong labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-7  # probability; predictions are float32
TEMPERATURES = np.geomspace(0.4, 5, 65)
RANDOM_SHARES = np.linspace(0, 0.5, 26)  # of the labels
MOST_UNITS = 20_000  # images or groups from which a temperature is fitted
# Of log-likelihood for a smaller share: half of the 95 % quantile of chi-square with 1 degree of freedom
MOST_LOSS = 1.92

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities at another temperature, float64 (n, K): p^(1 / temperature), normalised."""
    logs = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: Floats, codes: Codes) -> float:
    """The temperature of TEMPERATURES with the largest likelihood of the labels; 1 without labels.

    A label is the class of the model with probability 1 - share, and otherwise random. Of RANDOM_SHARES, the smallest
    is used whose likelihood is at most MOST_LOSS below the largest one.

    Args:
        probabilities: (n, K).
        codes: int64 (n,), the labels.
    """
    if not len(codes):
        return 1.0
    step = -(-len(codes) // MOST_UNITS)
    probabilities, codes = probabilities[::step], codes[::step]
    likelihood = np.empty((len(TEMPERATURES), len(RANDOM_SHARES)))
    for row, temperature in enumerate(TEMPERATURES):
        own = tempered(probabilities, temperature)[np.arange(len(codes)), codes]
        for column, share in enumerate(RANDOM_SHARES):
            mixed = (1 - share) * own + share / probabilities.shape[1]
            likelihood[row, column] = np.log(np.maximum(mixed, SMALLEST)).sum()
    best = likelihood.max(axis=0)
    smallest = int(np.flatnonzero(best >= best.max() - MOST_LOSS)[0])
    return float(TEMPERATURES[int(likelihood[:, smallest].argmax())])
