"""Numbers, such as an age in years: predictions out of fold, and the probability that a number is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.linear_model import Ridge

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)  # regularisation of ridge regression, alpha of scikit-learn
SAMPLE = 20_000  # rows that a regression is fitted to
WINDOW = 101  # predictions whose residuals give the quartiles for the one in the middle
FREEDOM = 4  # of the t distribution of residuals; Lange, Little and Taylor (1989), JASA 84, pages 881 to 896
TO_SCALE = 1.35  # scale of that distribution divided by its upper quartile, 1 / 0.7407
LEAST_UNIT = 0.05  # of a deviation, as a share of the mean absolute deviation
ROUNDS = 200  # of expectation maximisation
START, MOST = 0.02, 0.5  # share of wrong numbers at the start, and at most


def out_of_fold_ridge(
    features: NDArray[np.floating], numbers: NDArray[np.float64], folds: NDArray[np.int64], seed: int = 0
) -> NDArray[np.float64]:
    """Predicts numbers by ridge regressions that were not fitted to the row's fold.

    The strength with the smallest mean absolute error out of fold is used.

    Args:
        features: (n, d).
        numbers: float64 (n,).
        folds: int64 (n,), the fold of each row; no group is in two.
        seed: Seed of the sample of a large channel.

    Returns:
        float64 (n,).
    """
    predictions = [_ridge(features, numbers, folds, strength, seed) for strength in STRENGTHS]
    errors = [np.abs(numbers - predicted).mean() for predicted in predictions]
    return predictions[int(np.argmin(errors))]


def _ridge(
    features: NDArray[np.floating], numbers: NDArray[np.float64], folds: NDArray[np.int64], strength: float, seed: int
) -> NDArray[np.float64]:
    predicted = np.full(len(numbers), numbers.mean())
    generator = np.random.default_rng(seed)
    for fold in np.unique(folds):
        rows, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(rows) > SAMPLE:
            rows = generator.choice(rows, SAMPLE, replace=False)
        if len(rows):
            predicted[held_out] = Ridge(strength).fit(features[rows], numbers[rows]).predict(features[held_out])
    return predicted


def combined_prediction(
    sources: Sequence[NDArray[np.float64]], numbers: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The linear combination of predictions that fits the numbers best, out of fold, float64 (n,).

    Args:
        sources: float64 (n,) or (n, m) each: predictions, or log probabilities of bands.
        numbers: float64 (n,).
        folds: int64 (n,), the fold of each row.
    """
    columns = np.column_stack(sources)
    known = np.isfinite(columns)
    means = np.where(known, columns, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    columns = np.where(known, columns, means) - means
    columns /= np.maximum(columns.std(axis=0), 1e-9)
    return _ridge(columns, numbers, folds, 1.0, 0)


def standardised(
    numbers: NDArray[np.float64], predictions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The deviation of each number from its prediction in robust units, and the unit; both float64 (n,).

    Centre and unit come from the quartiles of the residuals of the WINDOW nearest predictions, with one unit above and
    one below: a regression that shrinks to the mean has long tails on one side. The unit is the scale of a t
    distribution with FREEDOM degrees of freedom whose quartile is that of the residuals.

    Args:
        numbers: float64 (n,).
        predictions: float64 (n,), out of fold.
    """
    order = np.argsort(predictions, kind="stable")
    residuals = (numbers - predictions)[order]
    half = (min(WINDOW, len(order)) - 1) // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(residuals, half, mode="reflect"), 2 * half + 1)
    lower, centre, upper = np.quantile(windows, (0.25, 0.5, 0.75), axis=1)
    sides = np.where(residuals >= centre, upper - centre, centre - lower) * TO_SCALE
    # a side without spread, where most residuals are equal, gets a part of the mean deviation
    unit = np.maximum(sides, max(float(np.abs(residuals - centre).mean()) * LEAST_UNIT, 1e-9))
    deviations, units = np.empty(len(order)), np.empty(len(order))
    deviations[order], units[order] = (residuals - centre) / unit, unit
    return deviations, units


def wrong_number_probability(
    deviations: NDArray[np.float64], units: NDArray[np.float64], extent: float
) -> NDArray[np.float64]:
    """The probability that each number is wrong, float64 (n,).

    Right numbers have a t distribution around the prediction, because the errors of a regression have longer tails than
    the normal distribution; wrong numbers are uniform over the range of the numbers. The share of wrong numbers is
    fitted by expectation maximisation.

    Args:
        deviations, units: float64 (n,), from `standardised`.
        extent: Largest minus smallest number.
    """
    if extent <= 0:
        return np.zeros(len(deviations))
    right = student.pdf(deviations, FREEDOM) / units
    share = START
    wrong = np.zeros(len(deviations))
    for _ in range(ROUNDS):
        wrong = share / extent / (share / extent + (1 - share) * right)
        share = min(max(float(wrong.mean()), 1e-4), MOST)
    return wrong
