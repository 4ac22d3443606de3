"""Reference: a plain loop over the bins."""

import itertools

import numpy as np
import pytest
from numpy.typing import ArrayLike

from model.metrics.bootstrap import resample
from model.metrics.calibration import (
    _mean_of_folded,
    calibration_error_interval,
    calibration_error_of,
    calibration_statistics,
    reliability_of,
)


def calibration_error(probabilities: ArrayLike, truth: ArrayLike, bins: int = 15) -> float:
    return float(calibration_error_of(calibration_statistics(probabilities, truth, bins).sum(axis=0)))


def brute_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    """Guo et al. 2017: sum over bins of |accuracy - confidence|, weighted by the bin's share of the images."""
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


def test_calibration_error_leaves_images_without_probabilities_out():
    probabilities = np.array([[0.8, 0.2], [np.nan, np.nan], [0.3, 0.7]])
    truth = np.array([0, 1, 0])
    known = [0, 2]
    expected = brute_calibration_error(probabilities[known], truth[known], 15)
    assert calibration_error(probabilities, truth) == pytest.approx(expected)
    # so are those whose class is unknown
    probabilities[1] = 0.9, 0.1
    assert calibration_error(probabilities, [0, -1, 0]) == pytest.approx(expected)


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


def totals_of(overconfidence: float, pictures: int = 400, seed: int = 0) -> np.ndarray:
    """Totals of two classes, of which the first has probabilities from 0.6 to 1 and is right less often by
    overconfidence."""
    generator = np.random.default_rng(seed)
    sure = generator.uniform(0.6, 1, pictures)
    truth = (generator.random(pictures) > sure - overconfidence).astype(int)
    return resample(calibration_statistics(np.column_stack([sure, 1 - sure]), truth), None, 100, seed)


@pytest.mark.parametrize("overconfidence", [0.0, 0.05, 0.3])
def test_the_interval_of_the_calibration_error_contains_that_of_the_population(overconfidence):
    result = [calibration_error_interval(totals_of(overconfidence, seed=seed), 0.95, 400) for seed in range(40)]
    assert sum(one.low <= overconfidence <= one.high for one in result) >= 37
    assert all(one.low <= one.value <= one.high for one in result)
    assert all((one.low > 0.2) == (overconfidence == 0.3) for one in result)


def test_a_very_small_calibration_error_has_no_interval_up_to_1():
    """As a logit interval has, which divides by the error."""
    totals = totals_of(0.0)
    _, right, pictures = np.split(totals[0], 3)
    totals[0] = np.concatenate([right + 1e-6, right, pictures])
    result = calibration_error_interval(totals, 0.95, 400)
    assert result.value < 1e-6 and result.low == 0 and 0.02 < result.high < 0.06


def test_without_enough_groups_or_resamples_there_is_no_interval_of_the_calibration_error():
    totals = totals_of(0.1)
    assert calibration_error_interval(totals, 0.95, 9).low is None
    assert calibration_error_interval(totals[:1], 0.95, 400).low is None
    assert calibration_error_interval(totals[[0, 0, 0, 0]], 0.95, 400).low is None
    narrow, wide = (calibration_error_interval(totals, level, 400) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_the_bias_is_by_the_mean_of_absolute_values():
    draws = np.random.default_rng(0).normal(size=(200_000, 3)) * [1, 0.5, 0] + [0, 0.7, 0.2]
    expected = _mean_of_folded(np.array([0, 0.7, 0.2]), np.array([1, 0.5, 0]))
    np.testing.assert_allclose(np.abs(draws).mean(axis=0), expected, atol=0.005)
