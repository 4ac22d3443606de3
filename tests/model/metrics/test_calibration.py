"""Reference: a plain loop over the bins."""

import itertools

import numpy as np
import pytest
from numpy.typing import ArrayLike

from model.metrics.calibration import calibration_error_of, calibration_statistics, reliability_of


def calibration_error(probabilities: ArrayLike, truth: ArrayLike, bins: int = 15) -> float:
    return float(calibration_error_of(calibration_statistics(probabilities, truth, bins).sum(axis=0)))


def brute_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    """Guo et al. 2017: sum over bins of |accuracy - confidence|, weighted by the bin's share of the pictures."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    edges, error = np.linspace(0, 1, bins + 1), 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_equals_a_loop_over_bins(bins):
    generator = np.random.default_rng(bins)
    probabilities = generator.dirichlet(np.ones(4) * 0.3, size=500)
    probabilities[:20] = np.eye(4)[0]  # on the last edge
    truth = generator.integers(4, size=500)
    assert calibration_error(probabilities, truth, bins) == pytest.approx(
        brute_calibration_error(probabilities, truth, bins), abs=1e-12
    )


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    probabilities = [[0.5, 0.5], [0.8, 0.2]]  # wrong by 0.5 in (0, 0.5], right by 0.2 less in (0.5, 1]
    assert calibration_error(probabilities, [1, 0], bins=2) == pytest.approx((0.5 + 0.2) / 2)


def test_calibration_error_leaves_pictures_without_probabilities_out():
    probabilities = np.array([[0.8, 0.2], [np.nan, np.nan], [0.3, 0.7]])
    truth = np.array([0, 1, 0])
    known = [0, 2]
    assert calibration_error(probabilities, truth) == pytest.approx(
        brute_calibration_error(probabilities[known], truth[known], 15)
    )


def test_reliability_is_the_mean_confidence_and_accuracy_of_each_bin():
    generator = np.random.default_rng(5)
    probabilities = generator.dirichlet(np.ones(3), size=200)
    truth = generator.integers(3, size=200)
    probabilities[7] = np.nan
    reliability = reliability_of(calibration_statistics(probabilities, truth, 10).sum(axis=0))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    for at in range(10):
        inside = (confidence > at / 10) & (confidence <= (at + 1) / 10)
        assert reliability["pictures"][at] == inside.sum()
        if inside.any():
            assert reliability["confidence"][at] == pytest.approx(confidence[inside].mean())
            assert reliability["accuracy"][at] == pytest.approx(right[inside].mean())
        else:
            assert np.isnan(reliability["confidence"][at]) and np.isnan(reliability["accuracy"][at])
    assert reliability["pictures"].sum() == 199
