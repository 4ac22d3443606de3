"""Nearest neighbours against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.cleaning import neighbours
from model.cleaning.neighbours import NO_ROW, Neighbours, nearest, vote


def unit(n: int, d: int, seed: int) -> np.ndarray:
    features = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 12), st.integers(0, 99))
def test_neighbours_are_those_of_brute_force_and_never_of_the_own_group(n, persons, k, seed):
    features = unit(n, 5, seed)
    groups = np.random.default_rng(seed).integers(0, persons, n)
    found = nearest(features, groups, k)
    for row in range(n):
        others = np.flatnonzero(groups != groups[row])
        similarity = features[others] @ features[row]
        order = others[np.argsort(-similarity, kind="stable")][:k]
        own = found.rows[row][found.rows[row] != NO_ROW]
        assert not (groups[own] == groups[row]).any()
        assert len(own) == min(k, len(others))
        np.testing.assert_allclose(features[own] @ features[row], features[order] @ features[row], atol=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch):
    features, groups = unit(50, 6, 1), np.arange(50) // 3
    whole = nearest(features, groups, 7)
    monkeypatch.setattr(neighbours, "BLOCK", 120)  # two rows at a time
    np.testing.assert_array_equal(nearest(features, groups, 7).rows, whole.rows)


def test_unreadable_images_have_no_neighbours_and_are_none():
    features, groups = unit(20, 4, 2), np.arange(20)
    features[[3, 11]] = 0
    found = nearest(features, groups, 19)
    assert (found.rows[[3, 11]] == NO_ROW).all() and not np.isin(found.rows, [3, 11]).any()
    assert (nearest(np.zeros((3, 4), np.float32), np.arange(3), 2).rows == NO_ROW).all()


def test_a_large_channel_is_searched_in_a_sample():
    features, groups = unit(60, 4, 3), np.arange(60)
    found = nearest(features, groups, 5, reference=10)
    assert len(np.unique(found.rows[found.rows >= 0])) <= 10 and (found.rows[:, 0] != np.arange(60)).all()


def test_votes_are_weighted_and_smoothed_by_the_shares():
    rows = np.array([[1, 2, 3], [NO_ROW, NO_ROW, NO_ROW], [1, 3, NO_ROW]])
    similarity = np.where(rows >= 0, np.array([0.9, 0.5, 0.1], np.float32), -np.inf).astype(np.float32)
    codes = np.array([0, 0, 1, -1])
    votes = vote(Neighbours(rows, similarity), codes, 2)
    shares = np.array([3, 2]) / 5  # counts 2 and 1, plus 1
    # the nearest has weight 1, the farthest labelled one 0.5, the one without a label none
    np.testing.assert_allclose(votes[0], (np.array([1, 0.5]) + shares) / 2.5)
    np.testing.assert_allclose(votes[1], shares)
    np.testing.assert_allclose(votes[2], (np.array([1, 0]) + shares) / 2)


@pytest.mark.parametrize("k", [1, 4])
def test_votes_sum_to_one(k):
    features, groups = unit(30, 4, 5), np.arange(30) // 2
    votes = vote(nearest(features, groups, k), np.arange(30) % 3, 3)
    np.testing.assert_allclose(votes.sum(axis=1), 1)
