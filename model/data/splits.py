"""Splits that never part a group (a person, a sender) and keep the class shares, and what they did in words.

A table enters as two arrays: a group's name and a class for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, listing
from model.runtime.terminal import text_table

SWEEPS = 2  # of the groups: the second deals each again, all others lying; a third changes little
CLASSES_TOLD = 30  # rows of a report's table; of more classes, the commonest and the rarest
GROUPS_TOLD = 3  # large groups that are named one by one


def assign(groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """The side of each row, (n,) int64: no group on two sides, each side's class counts near its share of them.

    groups: (n,) str; classes: (n,) int64, 0 or more; shares: a number a side, of which only the ratios count. The
    result depends on seed, groups and classes, not on the order of the rows.

    Equal shares are folds, alike in everything. With unequal shares side 0 is the one to learn from: every class
    reaches it, so that a class that a single group shows is there alone. No side with a positive share stays empty
    while there are groups: where all groups are needed for both, a second side gets a group before side 0 gets its
    class. InputError where there are fewer groups than folds, no rows, or a share is not a share.

    Greedy: groups in the order of their rarest class and their size go where the chi-square distance
    sum over c of (n_c - d_c)^2 / d_c grows least, n_c being the pictures of class c on the side, d_c those wanted;
    all pictures together count as one class more, which keeps the sides' sizes. A second sweep deals each again.
    """
    return _assign(groups, classes, shares, seed, folds=len(set(shares)) == 1)


def split(
    groups: NDArray[Any], classes: NDArray[Any], validation: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of train and of validation, int64, rising. validation: the share held out, 0 or more and below 1.

    As `assign` with train as side 0, whatever the share. With a single group validation is empty.
    """
    sides = _assign(groups, classes, (1 - validation, validation), seed, folds=False)
    return np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)


def _assign(
    groups: NDArray[Any], classes: NDArray[Any], shares: Sequence[float], seed: int, folds: bool
) -> NDArray[np.int64]:
    if not len(groups):
        raise InputError("there is no picture to split")
    if shares[0] <= 0 or min(shares) < 0:
        raise InputError(f"shares of a split must not be negative, and the first above 0: {listing(shares)}")
    names, group_of_row = np.unique(groups, return_inverse=True)
    if folds and len(names) < len(shares):
        raise InputError(f"{len(shares)} folds need as many groups, there are {len(names)}: {listing(names)}")

    num_classes = int(classes.max()) + 1  # class num_classes stands for all pictures together
    pairs, counts = np.unique(group_of_row * num_classes + classes, return_counts=True)
    starts = np.searchsorted(pairs, np.arange(len(names) + 1) * num_classes).tolist()
    class_of_pair = pairs % num_classes
    groups_of_class = np.bincount(class_of_pair, minlength=num_classes)
    rarest = np.minimum.reduceat(groups_of_class[class_of_pair], starts[:-1])
    size = np.bincount(group_of_row)
    shuffle = np.random.default_rng(seed).permutation(len(names))
    order = np.lexsort((shuffle, -size, rarest))

    # Python's own floats from here on: NumPy's sums differ in the last bit between machines, and then ties do.
    wanted_of_class = [*np.bincount(classes).tolist(), len(groups)]
    total = sum(shares)
    sides = [side for side, share in enumerate(shares) if share > 0]
    wanted = {side: [count * shares[side] / total for count in wanted_of_class] for side in sides}
    held = {side: [0] * (num_classes + 1) for side in sides}
    unplaced = [*groups_of_class.tolist(), len(names)]  # groups of each class, and all
    pair_classes, pair_counts, sizes = class_of_pair.tolist(), counts.tolist(), size.tolist()
    side_of_group = [-1] * len(names)
    for _ in range(SWEEPS):
        for group in order.tolist():
            first, end = starts[group : group + 2]
            members = [*zip(pair_classes[first:end], pair_counts[first:end]), (num_classes, sizes[group])]
            before = side_of_group[group]
            if before >= 0:
                for c, count in members:
                    held[before][c] -= count
                    unplaced[c] += 1
            empty = [side for side in sides if not held[side][num_classes]]
            if unplaced[num_classes] <= len(empty):
                side = empty[0]
            elif not folds and any(unplaced[c] == 1 and not held[0][c] for c, _ in members):
                side = 0
            else:
                side = min(sides, key=lambda side: (_growth(members, held[side], wanted[side]), side != before))
            for c, count in members:
                held[side][c] += count
                unplaced[c] -= 1
            side_of_group[group] = side
    return np.array(side_of_group)[group_of_row]


def _growth(members: list[tuple[int, int]], held: list[int], wanted: list[float]) -> float:
    """What a group of `members`, (class, count) each, adds to a side's chi-square distance:
    sum of ((n + m - d)^2 - (n - d)^2) / d."""
    return sum(m * (2 * held[c] + m - 2 * wanted[c]) / wanted[c] for c, m in members)


@dataclass(frozen=True)
class SplitReport:
    """What a split did. Lists are by side; class_counts[side][class] are pictures."""

    grouped_by: str | None
    side_names: list[str]
    class_names: list[str]
    pictures: list[int]
    groups: list[int]
    class_counts: list[list[int]]
    warnings: list[str]

    def text(self) -> str:
        """A table for the log: pictures, groups and classes by side, with the side's share of each; then warnings."""
        rows = [("pictures", self.pictures)]
        if self.grouped_by:
            rows.append((f"groups ({self.grouped_by})", self.groups))
        by_class = [(name, [side[c] for side in self.class_counts]) for c, name in enumerate(self.class_names)]
        if len(by_class) > CLASSES_TOLD:
            by_class.sort(key=lambda row: -sum(row[1]))
            half = CLASSES_TOLD // 2
            between = by_class[half:-half]
            most, least = sum(between[0][1]), sum(between[-1][1])
            by_class[half:-half] = [(f"... {len(between):,} more classes of {most:,} to {least:,} pictures", [])]
        lines = [[name, *(cell for side in _with_shares(counts) for cell in side)] for name, counts in rows + by_class]
        headers = ["", *(header for name in self.side_names for header in (name, "%"))]
        table = text_table(headers, lines, right=range(1, len(headers)))
        return "\n".join([table, *(f"warning: {warning}" for warning in self.warnings)])

    def to_dict(self) -> dict[str, Any]:
        """For JSON; shares are of all sides' pictures."""
        return {
            "grouped_by": self.grouped_by,
            "sides": {
                name: {
                    "pictures": self.pictures[side],
                    "share": self.pictures[side] / sum(self.pictures),
                    "groups": self.groups[side],
                    "classes": dict(zip(self.class_names, self.class_counts[side])),
                }
                for side, name in enumerate(self.side_names)
            },
            "warnings": self.warnings,
        }


def describe(
    groups: NDArray[Any],
    classes: NDArray[Any],
    sides: NDArray[Any],
    class_names: Sequence[str],
    side_names: Sequence[str],
    grouped_by: str | None,
    shares: Sequence[float] | None = None,
) -> SplitReport:
    """What a split did to rows with these groups (n,) str, classes (n,) int64 and sides (n,) int64.

    grouped_by: the column of the groups, None where every picture is its own; shares: those that were wanted of the
    sides, else those reached.
    """
    names, group_of_row = np.unique(groups, return_inverse=True)
    num_sides, num_classes = len(side_names), len(class_names)
    class_counts = np.bincount(sides * num_classes + classes, minlength=num_sides * num_classes)
    pictures = np.bincount(sides, minlength=num_sides)
    on_side = np.zeros((len(names), num_sides), bool)
    on_side[group_of_row, sides] = True
    report = SplitReport(
        grouped_by,
        list(side_names),
        list(class_names),
        pictures.tolist(),
        on_side.sum(axis=0).tolist(),
        class_counts.reshape(num_sides, num_classes).tolist(),
        [],
    )
    parted = names[on_side.sum(axis=1) > 1]
    if len(parted):
        report.warnings.append(
            f"{_groups(len(parted), grouped_by)} on two sides ({listing(parted)}): scores will look too good"
        )
    wanted = pictures if shares is None else len(groups) * np.asarray(shares) / np.sum(shares)
    report.warnings.extend(_large_groups(names, group_of_row, on_side, wanted, report))
    for side, name in enumerate(side_names):
        missing = [class_names[c] for c, count in enumerate(report.class_counts[side]) if not count]
        if len(missing) == num_classes:
            report.warnings.append(f"{name} has no picture at all")
        elif missing:
            noun = "class" if len(missing) == 1 else f"{len(missing):,} classes"
            report.warnings.append(
                f"{name} has no picture of {noun} {listing(missing)}; every output keeps a place for it"
            )
    return report


def _large_groups(
    names: NDArray[Any],
    group_of_row: NDArray[Any],
    on_side: NDArray[np.bool_],
    wanted: NDArray[Any],
    report: SplitReport,
) -> list[str]:
    smallest = int(np.argmin(np.where(wanted > 0, wanted, np.inf)))
    size = np.bincount(group_of_row)
    large = np.flatnonzero(size > wanted[smallest])
    large = large[np.argsort(-size[large], kind="stable")]
    if len(report.side_names) < 2 or not len(large):
        return []
    total, limit = len(group_of_row), f"the {wanted[smallest]:,.0f} for {report.side_names[smallest]}"
    sentences = [
        f"{report.grouped_by or 'group'} {names[group]} has {size[group]:,} of {total:,} pictures "
        f"({100 * size[group] / total:.1f} %), more than {limit}: all of them are in "
        f"{listing(name for side, name in enumerate(report.side_names) if on_side[group, side])}"
        for group in large[:GROUPS_TOLD]
    ]
    if len(large) > GROUPS_TOLD:
        sentences.append(f"{_groups(len(large) - GROUPS_TOLD, report.grouped_by)} more have more pictures than {limit}")
    return sentences


def _groups(count: int, grouped_by: str | None) -> str:
    return f"{count:,} group{'s' if count > 1 else ''}" + (f" ({grouped_by})" if grouped_by else "")


def _with_shares(counts: list[int]) -> list[tuple[str, str]]:
    total = sum(counts)
    return [(f"{count:,}", f"{100 * count / total:.1f}" if total else "-") for count in counts]
