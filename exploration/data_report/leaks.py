"""Leaks between splits: equal files, and groups, that are in more than one split."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from exploration.data_report.report_data import ReportData

MOST_LISTED = 20  # copies and groups that the page lists for each pair of splits


@dataclass(frozen=True)
class Leak:
    """What two splits share.

    Attributes:
        first, second: Names of the splits.
        copies: Images of the second split whose content is also in the first.
        pairs: The first MOST_LISTED of them as rows (of the first split, of the second).
        groups: Groups that are in both splits, sorted.
        group_images: Number of images of these groups in the second split.
    """

    first: str
    second: str
    copies: int
    pairs: list[tuple[int, int]]
    groups: list[str]
    group_images: int

    def __bool__(self) -> bool:
        return bool(self.copies or self.groups)


def find_leaks(data: ReportData) -> list[Leak]:
    """What each pair of splits shares, also if that is nothing. Empty if there is only one split."""
    splits = data.splits
    return [_leak(data, splits, first, second) for first, second in combinations(range(len(data.split_names)), 2)]


def _leak(data: ReportData, splits: np.ndarray, first: int, second: int) -> Leak:
    """What two splits share. splits: int64 (n,); first, second: positions in data.split_names."""
    keys = data.table.contents.keys if data.table.contents is not None else np.zeros(len(data), np.uint64)
    one, other = np.flatnonzero(splits == first), np.flatnonzero(splits == second)
    first_row = {key: row for key, row in zip(keys[one[::-1]].tolist(), one[::-1].tolist()) if key}
    pairs = [(first_row[key], row) for key, row in zip(keys[other].tolist(), other.tolist()) if key in first_row]
    # an image without a group is a group of its own, named by its path
    groups, named = data.table.groups, data.has_group
    shared = set(groups[one[named[one]]].tolist()) & set(groups[other[named[other]]].tolist())
    in_shared = sum(group in shared for group in groups[other[named[other]]].tolist())
    return Leak(
        data.split_names[first], data.split_names[second], len(pairs), pairs[:MOST_LISTED], sorted(shared), in_shared
    )


def copies_within(data: ReportData) -> int:
    """Number of images that are a copy of an earlier image, over all splits."""
    if data.table.contents is None:
        return 0
    keys = data.table.contents.keys[data.table.contents.keys != 0]
    return len(keys) - len(np.unique(keys))
