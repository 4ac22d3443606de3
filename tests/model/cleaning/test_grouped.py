"""Groups: constant attributes, units, and exchanged labels."""

import numpy as np
import pytest

from model.cleaning.grouped import (
    exchanged,
    group_means,
    is_constant,
    joined_posterior,
    make_units,
    within_group_disagreement,
)

GROUPS = np.repeat(np.arange(40), 5)


def test_disagreement_is_that_of_all_pairs():
    generator = np.random.default_rng(0)
    groups, codes = generator.integers(0, 8, 60), generator.integers(-1, 3, 60)
    known = np.flatnonzero(codes >= 0)
    pairs = [(a, b) for a in known for b in known if a != b and groups[a] == groups[b]]
    within = np.mean([codes[a] != codes[b] for a, b in pairs])
    anywhere = np.mean([codes[a] != codes[b] for a in known for b in known])
    assert within_group_disagreement(codes, groups) == pytest.approx(within / anywhere)


def test_attributes_of_the_person_are_told_from_those_of_the_image():
    generator = np.random.default_rng(0)
    person = generator.integers(0, 2, 40)[GROUPS]
    assert is_constant(person, GROUPS)
    some_wrong = np.where(generator.random(200) < 0.05, 1 - person, person)
    assert is_constant(some_wrong, GROUPS)
    assert not is_constant(np.tile([0, 0, 0, 1, 2], 40), GROUPS)
    assert not is_constant(generator.integers(0, 2, 200), GROUPS)
    assert not is_constant(person, np.arange(200))  # without groups
    assert not is_constant((generator.random(200) < 0.03).astype(int), GROUPS)  # rare, not constant
    assert not is_constant(np.zeros(200, int), GROUPS)


def test_units_are_images_or_groups_divided_by_label():
    codes, groups = np.array([0, 0, 1, 1, -1, 0]), np.array([0, 0, 1, 1, 1, 1])
    units = make_units(codes, groups, by_group=True)
    assert units.of_row.tolist() == [0, 0, 2, 2, -1, 1]
    assert (units.codes.tolist(), units.sizes.tolist()) == ([0, 0, 1], [2, 1, 2])
    assert units.divided.tolist() == [False, True, True]
    single = make_units(codes, groups, by_group=False)
    assert single.of_row.tolist() == [0, 1, 2, 3, -1, 4] and not single.divided.any()


def test_means_of_groups_leave_out_unreadable_images():
    values = np.array([[1.0, 2], [3, 4], [np.nan, np.nan], [5, 6]])
    means = group_means(values, np.array([1, 1, 1, 3]))
    np.testing.assert_array_equal(means[[1, 3]], [[2, 3], [5, 6]])
    assert np.isnan(means[[0, 2]]).all()


def test_the_few_deviating_labels_of_a_divided_group_are_suspect():
    groups = np.zeros(7, int)
    units = make_units(np.array([1, 1, 1, 0, 1, 1, 1]), groups, by_group=True)
    noise = np.array([[0.95, 0.05], [0.05, 0.95]])
    logs = np.log(np.full((2, 2), 0.5))  # the images themselves say nothing
    posterior = joined_posterior(logs, noise, units)
    scores = 1 - posterior[[0, 1], units.codes]
    assert scores[units.codes == 0] > 0.99 and scores[units.codes == 1] < 0.01


def test_exchanged_labels_are_found_and_each_image_is_in_one_pair():
    codes = np.array([0, 1, 2, 0, 1, 2])
    probabilities = np.full((6, 3), 0.01)
    probabilities[np.arange(6), [0, 2, 1, 0, 1, 2]] = 0.98  # rows 1 and 2 are exchanged
    found = exchanged(np.log(probabilities), codes, np.array([0, 0, 0, 1, 1, 1]), 0.01)
    assert [(pair.first, pair.second) for pair in found] == [(1, 2)] and found[0].score > 0.9
    # in different groups, or with only one of the two doubtful, there is no exchange
    assert not exchanged(np.log(probabilities), codes, np.arange(6), 0.01)
    probabilities[2] = [0.01, 0.01, 0.98]
    assert not exchanged(np.log(probabilities), codes, np.array([0, 0, 0, 1, 1, 1]), 0.01)
    # one image that surely has the other's label does not make up for one that does not fit the first's
    one_sided = np.log([[1e-6, 1e-6, 1 - 2e-6], [0.6, 0.15, 0.25]])
    assert not exchanged(one_sided, np.array([1, 2]), np.zeros(2, int), 0.01)
    assert not exchanged(np.log(np.full((2, 2), 0.5)), np.array([-1, -1]), np.zeros(2, int), 0.01)
