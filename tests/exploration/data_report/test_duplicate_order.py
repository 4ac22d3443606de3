from __future__ import annotations

import random

from exploration.data_report.duplicate_order import order_pairs
from exploration.near_duplicates import DuplicatePair


def pair(row: int, distance=0.1, similarity=0.9, groups=True, splits=False, labels=False) -> DuplicatePair:
    return DuplicatePair((row, row + 1), similarity, distance, groups, splits, labels)


def test_different_labels_come_first_then_splits_then_groups_and_pairs_of_a_group_are_counted():
    expected = [
        pair(0, labels=True, splits=True, distance=0.2),
        pair(1, labels=True, distance=0.05),
        pair(2, labels=True, distance=0.1),
        pair(3, splits=True),
        pair(4, splits=True, groups=False),
        pair(5, distance=0.01),
        pair(6, distance=0.02, similarity=0.99),
        pair(7, distance=0.02, similarity=0.9),
        pair(8, distance=0.02, similarity=float("nan")),
    ]
    inside = [pair(20, groups=False), pair(21, groups=False, labels=True)]
    for seed in range(5):
        mixed = random.Random(seed).sample([*expected, *inside], 11)
        shown = order_pairs(mixed)
        assert [one.rows[0] for one in shown.pairs] == list(range(9)) and shown.within_groups == 2
    assert (shown.with_other_label, shown.across_splits) == (3, 3)


def test_no_pairs():
    shown = order_pairs([])
    assert (shown.pairs, shown.within_groups) == ([], 0)
