"""References: the hypergeometric distribution, and exact coverage computed from it."""

import math

import numpy as np
import pytest
from scipy import stats

from model.metrics.finite_population import Estimate, unsampled_total


def bounds_by_tails(wrong: int, sampled: int, population: int, tail: float = 0.025) -> tuple[int, int]:
    """The numbers of wrong groups of the population that a sample with so many wrong ones does not reject."""
    possible = np.arange(wrong, population - sampled + wrong + 1)
    low_tail = stats.hypergeom.cdf(wrong, population, possible, sampled)
    high_tail = stats.hypergeom.sf(wrong - 1, population, possible, sampled)
    accepted = possible[(low_tail > tail) & (high_tail > tail)]
    return accepted.min(), accepted.max()


def counts(wrong: int, sampled: int, of_group: int = 1) -> np.ndarray:
    return np.repeat([of_group, 0], [wrong, sampled - wrong])


@pytest.mark.parametrize(("population", "sampled"), [(30, 20), (150, 100), (700, 100)])
def test_the_bounds_invert_the_tails_of_the_hypergeometric_distribution(population, sampled):
    for wrong in (0, 1, 2, 7, sampled - 1, sampled):
        estimate = unsampled_total(counts(wrong, sampled), population - sampled)
        expected = bounds_by_tails(wrong, sampled, population)
        assert (wrong + estimate.low, wrong + estimate.high) == expected
        assert estimate.value == pytest.approx((population - sampled) * wrong / sampled)


@pytest.mark.parametrize("population", [150, 700, 20_000])
def test_the_exact_coverage_is_at_least_the_nominal_one(population):
    sampled = 100
    estimates = [unsampled_total(counts(wrong, sampled), population - sampled) for wrong in range(sampled + 1)]
    low, high = (np.array([getattr(one, name) for one in estimates]) + range(sampled + 1) for name in ("low", "high"))
    for total in (round(rate * population) for rate in (0, 0.005, 0.02, 0.09, 0.3)):
        probability = stats.hypergeom.pmf(np.arange(sampled + 1), population, total, sampled)
        assert probability[(low <= total) & (total <= high)].sum() >= 0.95


def test_groups_of_equal_counts_have_the_scaled_bounds():
    one, seven = (unsampled_total(counts(4, 50, of_group), 200, of_group) for of_group in (1, 7))
    assert (seven.value, seven.low, seven.high) == pytest.approx((7 * one.value, 7 * one.low, 7 * one.high))


def test_counts_that_differ_lie_between_the_smallest_and_the_largest():
    smallest, largest = (unsampled_total(counts(6, 50, of_group), 200, 7) for of_group in (2, 7))
    mixed = unsampled_total([2, 7, 2, 7, 2, 7, *[0] * 44], 200, 7)
    assert smallest.low <= mixed.low <= largest.low and smallest.high <= mixed.high <= largest.high
    assert mixed.value == pytest.approx(200 * 27 / 50)
    assert mixed == unsampled_total([2, 7, 2, 7, 2, 7, *[0] * 44], 200, 7)


def test_a_sample_without_wrong_labels_allows_whole_groups():
    assert unsampled_total([0] * 100, 600, 7).high == 7 * unsampled_total([0] * 100, 600).high


def test_without_a_sample_nothing_is_known_and_without_a_rest_everything():
    unknown = unsampled_total([], 10, 7)
    assert math.isnan(unknown.value) and (unknown.low, unknown.high) == (0, 70)
    assert unsampled_total([1, 0, 1], 0) == Estimate(0, 0, 0)
    assert unsampled_total([1, 1], 3, most=3) == Estimate(3, unsampled_total([1, 1], 3).low, 3)
