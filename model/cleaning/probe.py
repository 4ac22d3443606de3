"""Linear probe: out-of-fold logistic regression on the features of frozen networks."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from model.cleaning.noise_model import FLOOR
from model.data.splits import assign

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # inverse regularisation of logistic regression, C of scikit-learn
FIRST = 2  # index of the strength that is tried first
FOLDS = 5
SAMPLE = 20_000  # rows that a probe is fitted to; a random sample of a larger channel
ITERATIONS = 200


def centred(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features minus their mean, with unit length: cosine similarity without what all images share.

    Args:
        features: float32 (n, d); rows of zeros (unreadable images) stay zero.
    """
    known = features.any(axis=1)
    result = features - (features[known].mean(axis=0) if known.any() else 0)
    result[~known] = 0
    lengths = np.linalg.norm(result, axis=1, keepdims=True)
    return np.asarray(np.divide(result, lengths, out=np.zeros_like(result), where=lengths > 1e-12), np.float32)


def grouped_folds(groups: NDArray[np.int64], codes: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, int64 (n,), in which no group is divided and classes have equal shares.

    Args:
        groups: int64 (n,), the group of each row.
        codes: int64 (n,), classes, 0 or more.
        folds: Number of folds; fewer if there are fewer groups.
        seed: Seed of the split.
    """
    folds = min(folds, len(np.unique(groups)))
    return assign(groups, codes, [1.0] * folds, seed)


def out_of_fold_probe(
    features: NDArray[np.float32], codes: NDArray[np.int64], folds: NDArray[np.int64], classes: int, seed: int = 0
) -> NDArray[np.float64]:
    """The probability of each class by a probe that was not fitted to the row's fold.

    The strength of the regularisation has the smallest out-of-fold log loss on the given labels; strengths are tried
    one after the other while the loss decreases.

    Args:
        features: float32 (n, d), from `centred`.
        codes: int64 (n,), classes, 0 or more.
        folds: int64 (n,), from grouped_folds.
        classes: Number of classes.
        seed: Seed of the sample of a large channel.

    Returns:
        float64 (n, classes), rows sum to 1, at least FLOOR. A class that is missing in the other folds has its share.
    """
    shares = np.bincount(codes, minlength=classes) / len(codes)
    losses: dict[int, float] = {}
    results: dict[int, NDArray[np.float64]] = {}

    def loss(position: int) -> float:
        if not 0 <= position < len(STRENGTHS):
            return np.inf
        if position not in losses:
            result = _probabilities(features, codes, folds, shares, STRENGTHS[position], seed)
            results[position] = result
            losses[position] = float(-np.log(result[np.arange(len(codes)), codes]).mean())
        return losses[position]

    best = FIRST
    step = 1 if loss(FIRST + 1) < loss(FIRST) else -1
    while loss(best + step) < loss(best):
        best += step
    return results[best]


def _probabilities(
    features: NDArray[np.float32],
    codes: NDArray[np.int64],
    folds: NDArray[np.int64],
    shares: NDArray[np.float64],
    strength: float,
    seed: int,
) -> NDArray[np.float64]:
    result = np.tile(shares, (len(codes), 1))
    generator = np.random.default_rng(seed)
    for fold in np.unique(folds):
        rows, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(rows) > SAMPLE:
            rows = generator.choice(rows, SAMPLE, replace=False)
        known = np.unique(codes[rows])
        if len(known) < 2:
            continue
        probe = LogisticRegression(C=strength, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that is nearly converged ranks as well
            probe.fit(features[rows], codes[rows])
        # classes that no row of the other folds has keep their share
        predicted = probe.predict_proba(features[held_out]) * shares[known].sum()
        result[np.ix_(held_out, known)] = predicted
    result = np.maximum(result, FLOOR)
    return np.asarray(result / result.sum(axis=1, keepdims=True), np.float64)
