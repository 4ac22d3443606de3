"""Held-out predictions from matched answers, and their folds."""

import numpy as np

from model.attributes import Attribute
from model.calibration.held_out import HeldOut
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme

KINDS = Scheme((Attribute("kind", ("cat", "dog")),))


def test_images_without_probabilities_are_left_out_and_groups_numbered_anew():
    probabilities = np.array([[0.6, 0.4], [np.nan, np.nan], [0.2, 0.8], [0.5, 0.5]])
    matched = MatchedAnswers(
        KINDS,
        list("abcd"),
        np.array([0, 1, 1, 0]),
        np.array([0, -1, 1, 0]),
        probabilities,
        groups=np.array([2, 0, 1, 2]),
        group_column="person",
    )
    held_out = HeldOut.from_matched(matched)
    assert held_out.truth.tolist() == [0, 1, 0] and held_out.groups.tolist() == [1, 0, 1]
    assert held_out.num_groups == 2 and held_out.unit == "group" and held_out.group_label == "person"
    assert np.isfinite(held_out.log_probabilities).all()


def test_without_groups_each_image_is_one_and_without_probabilities_there_are_none():
    matched = MatchedAnswers(KINDS, ["a", "b"], np.array([0, 1]), np.array([0, 1]), np.full((2, 2), 0.5))
    held_out = HeldOut.from_matched(matched)
    assert held_out.groups.tolist() == [0, 1] and held_out.unit == "image"
    without = MatchedAnswers(KINDS, ["a", "b"], np.array([0, 1]), np.array([0, 1]))
    assert len(HeldOut.from_matched(without)) == 0


def test_folds_divide_no_group_and_differ_in_size_by_one_group(make_held_out):
    held_out = make_held_out(groups=23, images=3)
    folds = held_out.folds(5, seed=1)
    assert all(len(set(folds[held_out.groups == group])) == 1 for group in range(23))
    assert sorted(np.bincount(folds)) == [12, 12, 15, 15, 15]
    part = held_out.take(np.flatnonzero(folds == 2))
    assert part.num_groups == len(set(held_out.groups[folds == 2])) and set(part.groups) == set(range(part.num_groups))
    assert not np.array_equal(folds, held_out.folds(5, seed=2))
