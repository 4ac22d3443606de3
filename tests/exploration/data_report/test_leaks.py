from __future__ import annotations

import numpy as np
import pytest

from exploration.data_report.leaks import copies_within, find_leaks
from model.data.content_index import ContentIndex

SPLITS = ["train", "validation", "eval"]


@pytest.fixture(scope="module")
def data(make_table, make_data):
    """300 images, many with the content of another one; some groups and some contents are in several splits."""
    generator = np.random.default_rng(3)
    hashes = np.column_stack([generator.integers(0, 150, 300)] * 2).astype(np.uint64)  # 0: not hashed
    hashes[[0, 150, 299]] = 0  # of three splits
    groups = [f"{row:04}.jpg" if row % 5 == 0 else str(generator.integers(40)) for row in range(300)]
    table = make_table({"kind": ["a"] * 300}, groups, contents=ContentIndex(hashes, np.zeros(300, bool)))
    object.__setattr__(table, "sides", np.sort(generator.choice(np.array(SPLITS, dtype=object), 300))[::-1])
    return make_data(table, SPLITS)


def test_leaks_are_those_of_all_pairs_of_images(data):
    keys, sides = data.table.contents.keys.tolist(), data.table.sides.tolist()
    groups = [group if group != path else None for group, path in zip(data.table.groups, data.paths)]
    leaks = find_leaks(data)
    assert [(leak.first, leak.second) for leak in leaks] == [
        ("train", "validation"),
        ("train", "eval"),
        ("validation", "eval"),
    ]
    for leak in leaks:
        ones = [row for row in range(300) if sides[row] == leak.first]
        others = [row for row in range(300) if sides[row] == leak.second]
        copies = [row for row in others if keys[row] and any(keys[row] == keys[one] for one in ones)]
        shared = {groups[row] for row in ones} & {groups[row] for row in others} - {None}
        assert leak.copies == len(copies) and [second for _, second in leak.pairs] == copies[:20]
        assert all(keys[first] == keys[second] and sides[first] == leak.first for first, second in leak.pairs)
        assert leak.groups == sorted(shared) and leak.group_images == sum(groups[row] in shared for row in others)
    known = [key for key in keys if key]
    assert copies_within(data) == len(known) - len(set(known)) and 0 in keys


def test_one_split_has_no_leaks(make_table, make_data):
    assert find_leaks(make_data(make_table({"kind": ["a", "b"]}))) == []


def test_splits_that_share_nothing_are_listed_too(make_table, make_data):
    table = make_table({"kind": ["a", "b"]}, sides=np.array(["train", "eval"], dtype=object))
    (leak,) = find_leaks(make_data(table, ["train", "eval"]))
    assert not leak and (leak.copies, leak.groups) == (0, [])
