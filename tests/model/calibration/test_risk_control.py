"""Thresholds that keep a promise, against scipy's binomial distribution and by simulation."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from model.calibration.risk_control import (
    NEVER,
    draw_per_group,
    find_threshold,
    find_thresholds,
    needed_groups,
    sizes_of_tests,
)


@pytest.mark.parametrize(("promise", "needed"), [(0.05, 59), (0.1, 29), (0.2, 14), (0.5, 5), (0.99, 1)])
def test_the_needed_groups_are_the_fewest_whose_exact_test_rejects_without_errors(promise, needed):
    assert needed_groups(promise) == needed
    assert binomtest(0, needed, promise, alternative="less").pvalue <= 0.05
    assert needed == 1 or binomtest(0, needed - 1, promise, alternative="less").pvalue > 0.05


@pytest.mark.parametrize("promise", [0.05, 0.1, 0.2, 0.97])
def test_the_needed_groups_with_tolerated_errors(promise):
    for wrong in (1, 2):
        number = needed_groups(promise, wrong)
        assert binom.cdf(wrong, number, promise) <= 0.05
        assert number == wrong + 1 or binom.cdf(wrong, number - 1, promise) > 0.05


@pytest.mark.parametrize("images", [13, 14, 30, 60, 120, 1000])
def test_tests_grow_to_all_images(images):
    sizes = sizes_of_tests(images, 0.2)
    if images < 14:
        assert sizes == []
        return
    assert sizes[-1] == images and sizes[0] >= max(14, images / 3)
    assert all(before < after <= max(before + 1, 1.1 * before + 1) for before, after in itertools.pairwise(sizes))


def test_all_images_are_answered_if_all_are_right_and_none_if_there_are_too_few():
    probability = np.linspace(0.4, 0.9, 29)
    found = find_threshold(probability, np.zeros(29, bool), 0.1)
    assert (found.threshold, found.answered, found.wrong, found.groups) == (0.0, 29, 0, 29) and found.is_promised
    few = find_threshold(probability[1:], np.zeros(28, bool), 0.1)
    assert few.threshold == NEVER and few.groups == 28 and not few.is_promised


def test_the_threshold_is_the_lowest_before_the_first_test_that_does_not_reject():
    """60 images, promise 10 %: the tests have 30, 33, 37, ... images; one wrong image among 37 is too many."""
    probability, is_wrong = np.linspace(0.99, 0.4, 60), np.zeros(60, bool)
    sizes = sizes_of_tests(60, 0.1)
    assert sizes[:3] == [30, 33, 37]
    is_wrong[34] = True
    found = find_threshold(probability, is_wrong, 0.1)
    assert found.answered == 33 and found.wrong == 0
    assert probability[33] < found.threshold < probability[32]
    # with all later images right the whole class would pass, but the sequence has ended
    assert binom.cdf(1, 60, 0.1) <= 0.05
    shuffled = np.random.default_rng(0).permutation(60)
    assert find_threshold(probability[shuffled], is_wrong[shuffled], 0.1) == found


def test_images_of_equal_probability_are_answered_together():
    probability = np.concatenate([np.ones(50), np.linspace(0.9, 0.5, 10)])
    is_wrong = np.zeros(60, bool)
    is_wrong[40] = True
    found = find_threshold(probability, is_wrong, 0.1)
    assert found.answered in (50, 54, 60) and found.wrong == 1
    is_wrong[41:43] = True  # three of the 50 equal ones: binom.cdf(3, 50, 0.1) is above 0.05
    assert find_threshold(probability, is_wrong, 0.1).threshold == NEVER


def test_probabilities_that_rounding_has_lifted_above_1_are_answered_with_those_of_1():
    probability = np.repeat([1 + 2e-7, 1.0, 0.5], [50, 20, 20])
    found = find_threshold(probability, np.repeat([False, False, True], [50, 20, 20]), 0.1)
    assert found.threshold == 0.75 and found.answered == 70
    # between both is no threshold that decision.json could have
    assert find_threshold(probability, np.repeat([False, True, True], [50, 20, 20]), 0.1).threshold == NEVER


def test_one_image_of_each_group_and_predicted_class_is_drawn():
    generator = np.random.default_rng(0)
    classes, groups = np.array([0, 0, 0, 1, 1, 0]), np.array([0, 0, 0, 0, 1, 1])
    drawn = [draw_per_group(classes, groups, generator) for _ in range(300)]
    assert all(len(rows) == 4 for rows in drawn)
    assert all({(groups[row], classes[row]) for row in rows} == {(0, 0), (0, 1), (1, 1), (1, 0)} for rows in drawn)
    times = np.bincount(np.concatenate(drawn), minlength=6)
    assert times[3:].tolist() == [300, 300, 300] and (times[:3] > 70).all()


def test_many_images_of_a_few_groups_promise_nothing():
    classes, groups = np.zeros(1000, np.int64), np.repeat(np.arange(10), 100)
    (found,) = find_thresholds(np.full(1000, 0.9), classes, classes, groups, 1, 0.1)
    assert found.groups == 10 and not found.is_promised


def test_each_class_has_its_own_threshold():
    groups, classes = np.arange(120), np.repeat([0, 1], 60)
    truth = np.where(np.arange(120) % 2, classes, 0)  # half of the second class is wrong
    found = find_thresholds(np.full(120, 0.8), classes, truth, groups, 3, 0.2)
    assert [one.groups for one in found] == [60, 60, 0]
    assert [one.is_promised for one in found] == [True, False, False]


def test_the_promise_is_broken_in_at_most_5_percent_of_draws_at_the_boundary():
    """Every image is wrong with probability 0.2, in groups of equal images: any answer breaks the promise."""
    generator, broken = np.random.default_rng(0), 0
    rows, classes = np.repeat(np.arange(60), 4), np.zeros(240, np.int64)
    for seed in range(1000):
        is_wrong = np.repeat(generator.random(60) < 0.2, 4).astype(np.int64)
        (found,) = find_thresholds(generator.random(240), classes, is_wrong, rows, 1, 0.2, seed)
        broken += found.is_promised
    # the exact rate is the first test's, 4.4 %; its standard deviation is 0.65 %
    assert 0.02 < broken / 1000 < 0.065
