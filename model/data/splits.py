"""Splits into sides or folds that keep groups (a person, a sender) whole and classes in equal shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, listing

PASSES = 2  # over the groups: the second reassigns each with the others fixed; a third changes little


def assign(groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Assigns each row to a side: no group is on two sides, each side's class counts are near its share of them.

    Equal shares are folds, which are treated alike. With unequal shares, side 0 is the one to train on: every class
    reaches it, so that a class of a single group is there only. No side with a positive share stays empty while there
    are groups: where both need all groups, a second side gets a group before side 0 gets its class.

    The algorithm is greedy. Groups, in the order of their rarest class and their size, go to the side where the
    chi-square distance, the sum over c of (n_c - d_c)^2 / d_c, grows least; n_c is the number of images of class c on
    the side, d_c the number wanted. All images together count as one class more, which keeps the sizes of the sides.
    A second pass reassigns each group.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), 0 or more.
        shares: Shares of the sides; only their ratios count.
        seed: Orders groups that are alike.

    Returns:
        The side of each row, int64 (n,). It depends on seed, groups and classes, not on the order of the rows.

    Raises:
        InputError: There are no rows, fewer groups than folds, or an invalid share.
    """
    return _assign(groups, classes, shares, seed, folds=len(set(shares)) == 1)


def split(
    groups: NDArray[Any], classes: NDArray[Any], validation: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Splits rows into train and validation: `assign` with train as side 0, whatever the share.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), 0 or more.
        validation: Share of validation, 0 or more and below 1.
        seed: Orders groups that are alike.

    Returns:
        The rows of train and of validation, int64, ascending. With a single group validation is empty.
    """
    sides = _assign(groups, classes, (1 - validation, validation), seed, folds=False)
    return np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)


class _Groups:
    """The groups of a table and how many images of each class they have.

    Class num_classes stands for all images together.
    """

    def __init__(self, groups: NDArray[Any], classes: NDArray[Any]) -> None:
        self.names, self.group_of_row = np.unique(groups, return_inverse=True)
        self.num_classes = int(classes.max()) + 1
        self._sizes: list[int] = np.bincount(self.group_of_row).tolist()
        # Every pair of group and class that occurs, sorted by group, with its number of images
        pairs, counts = np.unique(self.group_of_row * self.num_classes + classes, return_counts=True)
        self._starts: list[int] = np.searchsorted(pairs, np.arange(len(self) + 1) * self.num_classes).tolist()
        self._class_of_pair = pairs % self.num_classes
        self.groups_of_class = np.bincount(self._class_of_pair, minlength=self.num_classes)
        self._pair_classes, self._pair_counts = self._class_of_pair.tolist(), counts.tolist()

    def __len__(self) -> int:
        return len(self.names)

    def class_counts(self, group: int) -> list[tuple[int, int]]:
        """Class and number of images, for each class that the group has and for all images together."""
        first, end = self._starts[group : group + 2]
        counts = zip(self._pair_classes[first:end], self._pair_counts[first:end])
        return [*counts, (self.num_classes, self._sizes[group])]

    def order(self, seed: int) -> list[int]:
        """The groups by their rarest class (the fewest groups have it), then the largest first, then at random."""
        rarest = np.minimum.reduceat(self.groups_of_class[self._class_of_pair], self._starts[:-1])
        shuffled = np.random.default_rng(seed).permutation(len(self))
        order: list[int] = np.lexsort((shuffled, -np.array(self._sizes), rarest)).tolist()
        return order


def _assign(
    groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int, folds: bool
) -> NDArray[np.int64]:
    if not len(groups):
        raise InputError("there is no image to split")
    if shares[0] <= 0 or min(shares) < 0:
        raise InputError(f"shares of a split must not be negative, and the first above 0: {listing(shares)}")
    grouped = _Groups(groups, classes)
    if folds and len(grouped) < len(shares):
        names = listing(grouped.names)
        raise InputError(f"{len(shares)} folds need as many groups, there are {len(grouped)}: {names}")

    # Python's own floats from here on: NumPy's sums differ in the last bit between machines, and then ties do.
    everything = grouped.num_classes  # the class that stands for all images together
    images_of_class = [*np.bincount(classes).tolist(), len(groups)]
    sides = [side for side, share in enumerate(shares) if share > 0]
    wanted = {side: [count * shares[side] / sum(shares) for count in images_of_class] for side in sides}
    held = {side: [0] * (everything + 1) for side in sides}
    unassigned = [*grouped.groups_of_class.tolist(), len(grouped)]  # groups of each class, and all groups
    side_of_group = [-1] * len(grouped)
    order = grouped.order(seed)
    for _ in range(PASSES):
        for group in order:
            class_counts = grouped.class_counts(group)
            # In the second pass, take the group off its side
            before = side_of_group[group]
            if before >= 0:
                for c, count in class_counts:
                    held[before][c] -= count
                    unassigned[c] += 1
            empty = [side for side in sides if not held[side][everything]]
            if unassigned[everything] <= len(empty):
                # Every group left is needed so that no side stays empty
                side = empty[0]
            elif not folds and any(unassigned[c] == 1 and not held[0][c] for c, _ in class_counts):
                # The last group of a class that side 0 has not got yet
                side = 0
            else:
                # Where the distance grows least; of equal sides, the one where the group was
                side = min(sides, key=lambda side: (_growth(class_counts, held[side], wanted[side]), side != before))
            for c, count in class_counts:
                held[side][c] += count
                unassigned[c] -= 1
            side_of_group[group] = side
    return np.array(side_of_group)[grouped.group_of_row]


def _growth(class_counts: list[tuple[int, int]], held: list[int], wanted: list[float]) -> float:
    """What a group adds to the chi-square distance of a side: the sum of ((n + m - d)^2 - (n - d)^2) / d."""
    return sum(m * (2 * held[c] + m - 2 * wanted[c]) / wanted[c] for c, m in class_counts)
