"""Splits into sides or folds that do not divide groups, such as persons, and keep the shares of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, listing

PASSES = 2  # over the groups: the second reassigns each with the others fixed; a third changes little


def assign(groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Assigns each row to a side so that no group is divided and each side has its share of every class.

    Equal shares are folds, which are treated alike. With unequal shares, side 0 is for training: it gets every class,
    so a class with a single group is only there. A side with a positive share is not left empty: if there are too few
    groups for both conditions, every side gets a group before side 0 gets every class.

    The algorithm is greedy. Groups, ordered by their rarest class and their size, are assigned to the side where the
    chi-square distance, the sum over c of (n_c - d_c)^2 / d_c, grows least; n_c is the number of images of class c on
    the side, d_c the desired number. All images together count as one more class, which keeps the sizes of the sides.
    A second pass reassigns each group.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), 0 or more.
        shares: Shares of the sides; only their ratios count.
        seed: Seed of the order of groups with equal class and size.

    Returns:
        The side of each row, int64 (n,). It depends on seed, groups and classes, not on the order of the rows.

    Raises:
        InputError: There are no rows, fewer groups than folds, or an invalid share.
    """
    return _assign(groups, classes, shares, seed, folds=len(set(shares)) == 1)


def split(
    groups: NDArray[Any], classes: NDArray[Any], validation: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits rows into train and validation: `assign` with train as side 0, even if both shares are equal.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), 0 or more.
        validation: Share of validation, 0 or more and below 1.
        seed: Seed of the order of groups with equal class and size.

    Returns:
        The rows of train and of validation, int64, ascending. With a single group, validation is empty.
    """
    sides = _assign(groups, classes, (1 - validation, validation), seed, folds=False)
    return np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)


class _Groups:
    """The groups of a table and their number of images per class.

    Class number num_classes is an additional class that has all images.
    """

    def __init__(self, groups: NDArray[Any], classes: NDArray[Any]) -> None:
        self.names, self.group_of_row = np.unique(groups, return_inverse=True)
        self.num_classes = int(classes.max()) + 1
        self._sizes: list[int] = np.bincount(self.group_of_row).tolist()
        # Every pair of group and class that occurs, sorted by group, and its number of images
        pairs, counts = np.unique(self.group_of_row * self.num_classes + classes, return_counts=True)
        self._starts: list[int] = np.searchsorted(pairs, np.arange(len(self) + 1) * self.num_classes).tolist()
        self._class_of_pair = pairs % self.num_classes
        self.groups_of_class = np.bincount(self._class_of_pair, minlength=self.num_classes)
        self._pair_classes, self._pair_counts = self._class_of_pair.tolist(), counts.tolist()

    def __len__(self) -> int:
        return len(self.names)

    def class_counts(self, group: int) -> list[tuple[int, int]]:
        """Pairs of class and number of images, for each class of the group and for all its images together."""
        first, end = self._starts[group : group + 2]
        counts = zip(self._pair_classes[first:end], self._pair_counts[first:end])
        return [*counts, (self.num_classes, self._sizes[group])]

    def order(self, seed: int) -> list[int]:
        """The groups sorted by their rarest class (by number of groups), then by decreasing size, then at random."""
        rarest = np.minimum.reduceat(self.groups_of_class[self._class_of_pair], self._starts[:-1])
        shuffled = np.random.default_rng(seed).permutation(len(self))
        order: list[int] = np.lexsort((shuffled, -np.array(self._sizes), rarest)).tolist()
        return order


def _assign(
    groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int, folds: bool
) -> NDArray[np.int64]:
    if not len(groups):
        raise InputError("there are no images to split")
    if shares[0] <= 0 or min(shares) < 0:
        raise InputError(f"shares of a split must be at least 0, and the first above 0, not {listing(shares)}")
    grouped = _Groups(groups, classes)
    if folds and len(grouped) < len(shares):
        names = listing(grouped.names)
        raise InputError(f"{len(shares)} folds require at least {len(shares)} groups, not {len(grouped)}: {names}")

    # Use Python floats from here on: NumPy sums differ in the last bit between machines, which would break ties
    everything = grouped.num_classes  # the additional class that has all images
    images_of_class = [*np.bincount(classes).tolist(), len(groups)]
    sides = [side for side, share in enumerate(shares) if share > 0]
    desired = {side: [count * shares[side] / sum(shares) for count in images_of_class] for side in sides}
    assigned = {side: [0] * (everything + 1) for side in sides}
    unassigned = [*grouped.groups_of_class.tolist(), len(grouped)]  # groups of each class, and all groups
    side_of_group = [-1] * len(grouped)
    order = grouped.order(seed)
    for _ in range(PASSES):
        for group in order:
            class_counts = grouped.class_counts(group)
            # In the second pass, remove the group from its side
            before = side_of_group[group]
            if before >= 0:
                for c, count in class_counts:
                    assigned[before][c] -= count
                    unassigned[c] += 1
            empty = [side for side in sides if not assigned[side][everything]]
            if unassigned[everything] <= len(empty):
                # All remaining groups are needed so that no side stays empty
                side = empty[0]
            elif not folds and any(unassigned[c] == 1 and not assigned[0][c] for c, _ in class_counts):
                # The last group of a class that side 0 does not have yet
                side = 0
            else:
                # The side whose distance grows least; if equal, the side where the group was before
                side = min(
                    sides, key=lambda side: (_growth(class_counts, assigned[side], desired[side]), side != before)
                )
            for c, count in class_counts:
                assigned[side][c] += count
                unassigned[c] -= 1
            side_of_group[group] = side
    return np.array(side_of_group)[grouped.group_of_row]


def _growth(class_counts: list[tuple[int, int]], assigned: list[int], desired: list[float]) -> float:
    """The increase of a side's chi-square distance by a group: the sum of ((n + m - d)^2 - (n - d)^2) / d."""
    return sum(m * (2 * assigned[c] + m - 2 * desired[c]) / desired[c] for c, m in class_counts)
