import functools
import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from model.data.splits import assign, split
from model.errors import InputError

rows = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1, max_size=60)


def as_arrays(table: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([f"p{group}" for group, _ in table]), np.array([c for _, c in table])


def skewed_table(seed: int, num_groups: int = 300, num_classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Groups of 1 to 8 rows, mostly of one class; each class has half as many rows as the one before."""
    rng = np.random.default_rng(seed)
    prior = 0.5 ** np.arange(num_classes) / (0.5 ** np.arange(num_classes)).sum()
    sizes = rng.integers(1, 9, num_groups)
    own = rng.choice(num_classes, num_groups, p=prior)
    groups = np.repeat(np.arange(num_groups), sizes)
    classes = np.where(rng.random(len(groups)) < 0.7, own[groups], rng.choice(num_classes, len(groups), p=prior))
    return np.array([f"g{group}" for group in groups]), classes


def distance(classes: np.ndarray, sides: np.ndarray, shares: list[float]) -> float:
    """Chi-square distance of the class counts of the sides from the desired counts."""
    total = 0.0
    for c in np.unique(classes):
        for side, share in enumerate(shares):
            wanted = share * (classes == c).sum()
            total += (((classes == c) & (sides == side)).sum() - wanted) ** 2 / wanted
    return total


def sides_of_groups(groups: np.ndarray, sides: np.ndarray) -> dict[str, set[int]]:
    return {group: set(sides[groups == group].tolist()) for group in set(groups.tolist())}


@settings(max_examples=200, deadline=None)
@given(rows, st.floats(0.01, 0.9), st.integers(0, 5))
def test_a_split_divides_no_group_and_train_has_every_class(
    table: list[tuple[int, int]], validation: float, seed: int
) -> None:
    groups, classes = as_arrays(table)
    train, held_out = split(groups, classes, validation, seed)
    assert sorted([*train, *held_out]) == list(range(len(groups)))
    assert (np.diff(train) > 0).all() and (np.diff(held_out) > 0).all()
    assert not set(groups[train]) & set(groups[held_out])
    assert len(train)
    assert len(held_out) or len(set(groups)) == 1
    groups_of_class = {c: set(groups[classes == c].tolist()) for c in set(classes.tolist())}
    alone = set().union(*(held for held in groups_of_class.values() if len(held) == 1))
    if len(set(groups)) > 1 and alone == set(groups):  # every group is the only one of some class: one must go
        assert len(set(groups[held_out])) == 1
    else:
        assert set(classes[train]) == set(classes)


@settings(max_examples=150, deadline=None)
@given(rows, st.integers(1, 6), st.integers(0, 5))
def test_folds_divide_no_group_and_none_is_empty(table: list[tuple[int, int]], folds: int, seed: int) -> None:
    groups, classes = as_arrays(table)
    if len(set(groups)) < folds:
        with pytest.raises(InputError, match=f"{folds} folds require at least {folds} groups, not {len(set(groups))}"):
            assign(groups, classes, [1 / folds] * folds, seed)
        return
    sides = assign(groups, classes, [1 / folds] * folds, seed)
    assert sides.dtype == np.int64 and sides.shape == classes.shape
    assert all(len(own) == 1 for own in sides_of_groups(groups, sides).values())
    assert set(sides.tolist()) == set(range(folds))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shares", [[0.8, 0.2], [0.2] * 5, [0.7, 0.2, 0.1]])
def test_class_shares_are_kept(seed: int, shares: list[float]) -> None:
    groups, classes = skewed_table(seed)
    sides = assign(groups, classes, shares, seed)
    for side, share in enumerate(shares):
        assert np.mean(sides == side) == pytest.approx(share, abs=0.005)
        for c, count in Counter(classes.tolist()).items():
            assert abs(((sides == side) & (classes == c)).sum() - share * count) <= 3


@pytest.mark.filterwarnings("ignore:The least populated class")
@functools.cache
def scikit_learn_folds(seed: int) -> NDArray[np.int64]:
    """The fold of each row of skewed_table by scikit-learn."""
    groups, classes = skewed_table(seed)
    folds = np.zeros(len(groups), int)
    splits = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(classes, classes, groups)
    for fold, (_, held_out) in enumerate(splits):
        folds[held_out] = fold
    return folds


@pytest.mark.parametrize("shares, most", [([0.8, 0.2], 0.5), ([0.2] * 5, 1.0)])
def test_sides_are_stratified_better_than_with_scikit_learn(shares: list[float], most: float) -> None:
    """Reference: StratifiedGroupKFold; for two sides, the last of its five folds is validation."""
    ours, theirs = [], []
    for seed in range(12):
        groups, classes = skewed_table(seed)
        folds = scikit_learn_folds(seed)
        theirs.append(distance(classes, folds if len(shares) == 5 else (folds == 4).astype(int), shares))
        ours.append(distance(classes, assign(groups, classes, shares, seed), shares))
    assert np.mean(ours) < most * np.mean(theirs)


def test_few_groups_are_assigned_nearly_optimally() -> None:
    """Compared with all 2^10 assignments of 10 groups to two sides."""
    for seed in range(8):
        groups, classes = skewed_table(seed, num_groups=10, num_classes=3)
        names, group_of_row = np.unique(groups, return_inverse=True)
        ways = [np.array(way)[group_of_row] for way in itertools.product((0, 1), repeat=len(names))]
        distances = np.sort([distance(classes, way, [0.7, 0.3]) for way in ways])
        ours = distance(classes, assign(groups, classes, [0.7, 0.3], seed), [0.7, 0.3])
        assert ours <= distances[len(distances) // 10]


def test_the_split_depends_on_the_seed_not_on_the_order_of_rows() -> None:
    groups, classes = skewed_table(0)
    sides = assign(groups, classes, [0.8, 0.2], 3)
    assert (sides == assign(groups.astype(object), classes, [0.8, 0.2], 3)).all()
    shuffled = np.random.default_rng(1).permutation(len(groups))
    assert (sides[shuffled] == assign(groups[shuffled], classes[shuffled], [0.8, 0.2], 3)).all()
    assert (sides != assign(groups, classes, [0.8, 0.2], 4)).any()


def test_the_split_does_not_depend_on_the_hash_seed() -> None:
    script = (
        "import numpy as np; from model.data.splits import assign; rng = np.random.default_rng(0)\n"
        "print(assign(rng.integers(0, 90, 300).astype(str).astype(object), rng.integers(0, 4, 300), [.7, .3], 5))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.parametrize("seed", range(10))
def test_a_class_with_one_group_is_in_train(seed: int) -> None:
    groups, classes = skewed_table(seed, num_groups=40)
    classes[groups == "g7"] = 6
    sides = assign(groups, classes, [0.5 - 1e-6, 0.5 + 1e-6], seed)
    assert (sides[classes == 6] == 0).all()


def test_a_class_with_two_groups_is_in_train_even_if_most_rows_are_held_out() -> None:
    groups, classes = np.array([f"g{i}" for i in range(40)]), np.array([0] * 38 + [1] * 2)
    for seed in range(5):
        train, held_out = split(groups, classes, 0.9, seed)
        assert 1 in classes[train] and len(held_out) > 30


def test_no_validation_and_a_single_group() -> None:
    groups, classes = skewed_table(0)
    train, held_out = split(groups, classes, 0.0, 0)
    assert len(train) == len(groups) and not len(held_out)
    for validation in (0.2, 0.5, 0.9):
        train, held_out = split(np.array(["a"] * 3), np.array([0, 1, 0]), validation, 0)
        assert train.tolist() == [0, 1, 2] and not len(held_out)


def test_two_equal_groups_are_assigned_to_both_sides() -> None:
    train, held_out = split(np.array(["a"] * 50 + ["b"] * 50), np.zeros(100, int), 0.2, 0)
    assert len(train) == len(held_out) == 50


def test_invalid_shares_and_empty_tables_are_errors() -> None:
    with pytest.raises(InputError, match="no image"):
        split(np.array([], str), np.array([], int), 0.2, 0)
    with pytest.raises(InputError, match="must be at least 0"):
        split(np.array(["a"]), np.array([0]), -0.1, 0)
    with pytest.raises(InputError, match="the first above 0"):
        split(np.array(["a"]), np.array([0]), 1.0, 0)


def test_many_groups_take_seconds() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60_000, 120_000).astype(str)
    began = time.process_time()
    assign(groups, rng.integers(0, 18, len(groups)), [0.8, 0.2], 0)
    assert time.process_time() - began < 8
