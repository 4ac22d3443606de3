"""Noise model: the probability that a label is wrong, from several sources of class probabilities.

The true class c of a unit (an image, or a group) has probability p(c), the softmax of a weighted sum of the sources'
log probabilities and a bias per class. The label k is given with probability T[c, k]: T is the noise matrix. Weights,
biases and T maximise the likelihood of the given labels (expectation maximisation, as Dawid and Skene 1979, "Maximum
Likelihood Estimation of Observer Error-Rates", Applied Statistics 28, pages 20 to 28). Few parameters are fitted, so a
label does not explain itself; the sources must be out of fold. Scores are posterior probabilities, which are comparable
between attributes and classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

ROUNDS = 200  # of expectation maximisation, at most
SETTLED = 1e-3  # change of the noise matrix that ends it: 18 rounds with correct labels, 82 with 40 % wrong ones
STEPS = 30  # of L-BFGS per round
START = 0.05  # share of wrong labels at the start
PSEUDO_COUNT = 10.0  # units per class that the noise matrix of _even_errors counts as
SAMPLE = 50_000  # units that the model is fitted to; a random sample of a larger channel
LEAST_NOISE = 1e-4
MOST_WEIGHT = 5.0  # of a source
FLOOR = 1e-5  # of the probabilities of every source


@dataclass(frozen=True)
class NoiseModel:
    """A fitted model of K classes.

    Attributes:
        weights: float64 (sources,).
        bias: float64 (K,).
        noise: float64 (K true, K given), rows sum to 1.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    noise: NDArray[np.float64]

    def log_probabilities(self, sources: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Log probabilities of the true class before the label is known, float64 (n, K)."""
        return _pooled(np.concatenate([self.weights, self.bias]), _logs(sources))

    def posterior(self, sources: Sequence[NDArray[np.float64]], codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of the true class given sources and label, float64 (n, K).

        Args:
            sources: Probabilities, float64 (n, K) each, as in fit_noise_model.
            codes: int64 (n,), the given classes.
        """
        return _posterior(self.log_probabilities(sources), codes, self.noise)


def fit_noise_model(sources: Sequence[NDArray[np.float64]], codes: NDArray[np.int64], seed: int = 0) -> NoiseModel:
    """Fits the model to given labels.

    Args:
        sources: Out-of-fold probabilities of each source, float64 (n, K).
        codes: int64 (n,), the given classes.
        seed: Seed of the sample if there are more than SAMPLE units.
    """
    logs = _logs(sources)
    if len(codes) > SAMPLE:
        rows = np.random.default_rng(seed).choice(len(codes), SAMPLE, replace=False)
        logs, codes = logs[:, rows], codes[rows]
    count, _, size = logs.shape
    labels = np.bincount(codes, minlength=size) / len(codes)
    noise = _even_errors(labels, START)
    parameters = np.concatenate([np.full(count, 1 / count), np.zeros(size)])
    bounds = [(0.0, MOST_WEIGHT)] * count + [(None, None)] * size
    for _ in range(ROUNDS):
        # weights and biases for this noise matrix
        fit = minimize(
            _loss,
            parameters,
            args=(logs, codes, noise),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": STEPS},
        )
        parameters = fit.x
        # the noise matrix for these probabilities: expected counts, shrunk towards even errors
        posterior = _posterior(_pooled(parameters, logs), codes, noise)
        share = 1 - posterior[np.arange(len(codes)), codes].mean()
        counts = np.zeros((size, size))
        np.add.at(counts, codes, posterior)  # (given, true)
        counts = counts.T + PSEUDO_COUNT * _even_errors(labels, max(share, LEAST_NOISE))
        before, noise = noise, counts / counts.sum(axis=1, keepdims=True)
        if np.abs(noise - before).max() < SETTLED:
            break
    return NoiseModel(parameters[:count], parameters[count:], noise)


def _logs(sources: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Log probabilities, float64 (sources, n, K). Rows of NaN, of images without an answer, become equal."""
    stacked = np.stack([np.asarray(source, np.float64) for source in sources])
    return np.asarray(np.log(np.clip(np.nan_to_num(stacked, nan=1 / stacked.shape[2]), FLOOR, 1)), np.float64)


def _pooled(parameters: NDArray[np.float64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(logs)
    sums = np.tensordot(parameters[:count], logs, axes=1) + parameters[count:]
    return np.asarray(log_softmax(sums, axis=1), np.float64)


def _posterior(
    log_probabilities: NDArray[np.float64], codes: NDArray[np.int64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    product = np.exp(log_probabilities) * noise[:, codes].T
    return np.asarray(product / product.sum(axis=1, keepdims=True), np.float64)


def _loss(
    parameters: NDArray[np.float64], logs: NDArray[np.float64], codes: NDArray[np.int64], noise: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Negative log likelihood of the labels plus half the squared biases, and its gradient."""
    count = len(logs)
    probabilities = np.exp(_pooled(parameters, logs))
    product = probabilities * noise[:, codes].T
    likelihood = product.sum(axis=1)
    slope = probabilities - product / likelihood[:, None]
    bias = parameters[count:]
    gradient = np.concatenate([np.tensordot(logs, slope, axes=2), slope.sum(axis=0) + bias])
    return float(-np.log(likelihood).sum() + 0.5 * (bias**2).sum()), gradient


def _even_errors(labels: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The noise matrix in which about this share of each class's labels is wrong.

    With equal probabilities for all wrong labels instead, the labels of a class as rare as the errors could all be
    errors, and sources that do not recognise the class would confirm it.

    Args:
        labels: float64 (K,), shares of the given labels, above 0.
        share: Share of wrong labels.
    """
    size = len(labels)
    if size == 1:
        return np.ones((1, 1))
    # another class gets the label k so often that `share` of the labels k is wrong, and at most as often as on average
    wrong = share * np.minimum(labels / np.maximum(1 - labels, 1e-12), 1 / (size - 1))
    noise = np.tile(wrong, (size, 1))
    np.fill_diagonal(noise, 1 - (wrong.sum() - wrong))
    return noise
