"""SplitReport counts the images, groups and images per class on each side of a split, with warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import listing
from model.runtime.terminal import text_table

MAX_CLASSES = 20  # rows of the table; of more classes, only the most and the least frequent are listed
MAX_LARGE_GROUPS = 3  # large groups that are listed in a warning of their own


@dataclass(frozen=True)
class SplitReport:
    """Counts of both sides of a split.

    Attributes:
        grouped_by: Column of the groups; None if every image is its own group.
        side_names: Names of the sides.
        class_names: Names of the joint classes.
        images: Number of images of each side.
        groups: Number of groups of each side.
        class_counts: Number of images by side and class.
        warnings: Sentences for the log.
        labelled: If labels are missing, the number of labelled images of each side, by attribute; otherwise empty.
    """

    grouped_by: str | None
    side_names: list[str]
    class_names: list[str]
    images: list[int]
    groups: list[int]
    class_counts: list[list[int]]
    warnings: list[str]
    labelled: dict[str, list[int]]

    def text(self) -> str:
        """A table for the log: images, groups and classes by side with their shares; then the warnings."""
        rows = [("images", self.images)]
        if self.grouped_by:
            rows.append((f"groups ({self.grouped_by})", self.groups))
        rows += [(f"with a label of {name}", counts) for name, counts in self.labelled.items()]
        if self.labelled:
            rows.append(("with every label", [sum(side) for side in self.class_counts]))
        by_class = [(name, [side[c] for side in self.class_counts]) for c, name in enumerate(self.class_names)]
        if len(by_class) > MAX_CLASSES:
            by_class.sort(key=lambda row: -sum(row[1]))
            half = MAX_CLASSES // 2
            omitted = by_class[half:-half]
            most, least = sum(omitted[0][1]), sum(omitted[-1][1])
            sizes = f"{most:,}" if most == least else f"{least:,} to {most:,}"
            by_class[half:-half] = [(f"... and {len(omitted):,} more classes of {sizes} images", [])]
        lines = [[name, *(text for side in _with_shares(counts) for text in side)] for name, counts in rows + by_class]
        headers = ["", *(header for name in self.side_names for header in (name, "%"))]
        table = text_table(headers, lines, right=range(1, len(headers)))
        return "\n".join([table, *(f"warning: {warning}" for warning in self.warnings)])

    def to_dict(self) -> dict[str, Any]:
        """The content of split.json. `share` is the side's share of all images."""
        return {
            "grouped_by": self.grouped_by,
            "sides": {
                name: {
                    "pictures": self.images[side],
                    "share": self.images[side] / sum(self.images),
                    "groups": self.groups[side],
                    "classes": dict(zip(self.class_names, self.class_counts[side])),
                }
                | ({"labelled": {one: counts[side] for one, counts in self.labelled.items()}} if self.labelled else {})
                for side, name in enumerate(self.side_names)
            },
            "warnings": self.warnings,
        }


def report_split(
    groups: NDArray[Any],
    classes: NDArray[Any],
    sides: NDArray[Any],
    class_names: Sequence[str],
    side_names: Sequence[str],
    grouped_by: str | None,
    shares: Sequence[float] | NDArray[Any] | None = None,
    labels: Mapping[str, NDArray[Any]] | None = None,
) -> SplitReport:
    """Counts the images, groups and classes on each side of a split.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), the joint class of each row, negative if a label is missing.
        sides: int64 (n,), the side of each row.
        class_names: Names of the joint classes.
        side_names: Names of the sides.
        grouped_by: Column of the groups; None if every image is its own group.
        shares: Requested shares of the sides; None if the sides are channels or were listed.
        labels: Class of each row by attribute, int64 (n,), negative if the label is missing; only used if a label is
            missing.
    """
    names, group_of_row = np.unique(groups, return_inverse=True)
    num_sides, num_classes = len(side_names), len(class_names)
    known = classes >= 0
    class_counts = np.bincount((sides * num_classes + classes)[known], minlength=num_sides * num_classes)
    images = np.bincount(sides, minlength=num_sides)
    missing = {} if known.all() else labels or {}
    on_side = np.zeros((len(names), num_sides), bool)
    on_side[group_of_row, sides] = True
    report = SplitReport(
        grouped_by,
        list(side_names),
        list(class_names),
        images.tolist(),
        on_side.sum(axis=0).tolist(),
        class_counts.reshape(num_sides, num_classes).tolist(),
        [],
        {name: np.bincount(sides[codes >= 0], minlength=num_sides).tolist() for name, codes in missing.items()},
    )

    divided = names[on_side.sum(axis=1) > 1]
    if len(divided):
        report.warnings.append(
            f"{_groups(len(divided), grouped_by)} on both sides of the split, which makes scores too high: "
            f"{listing(divided)}"
        )
    if shares is not None:
        wanted = len(groups) * np.asarray(shares) / np.sum(shares)
        report.warnings.extend(_large_groups(names, group_of_row, on_side, wanted, report))
    report.warnings.extend(_missing_classes(report))
    return report


def _large_groups(
    names: NDArray[Any],
    group_of_row: NDArray[Any],
    on_side: NDArray[np.bool_],
    wanted: NDArray[Any],
    report: SplitReport,
) -> list[str]:
    """Warnings about the largest groups, if they have more images than the smallest side should have.

    Args:
        names: Names of the groups.
        group_of_row: int64 (n,), the group of each row.
        on_side: bool (groups, sides), whether a group is on a side.
        wanted: float64 (sides,), requested number of images of each side.
        report: The counts of the split.
    """
    smallest = int(np.argmin(np.where(wanted > 0, wanted, np.inf)))
    sizes = np.bincount(group_of_row)
    large = np.flatnonzero(sizes > wanted[smallest])
    large = large[np.argsort(-sizes[large], kind="stable")]
    if len(report.side_names) < 2 or not len(large):
        return []
    total, limit = len(group_of_row), f"the {wanted[smallest]:,.0f} requested for {report.side_names[smallest]}"
    warnings = [
        f"{report.grouped_by or 'group'} {names[group]} has {sizes[group]:,} of {total:,} images "
        f"({100 * sizes[group] / total:.1f} %), more than {limit}; all of them are in "
        f"{listing(name for side, name in enumerate(report.side_names) if on_side[group, side])}"
        for group in large[:MAX_LARGE_GROUPS]
    ]
    if len(large) > MAX_LARGE_GROUPS:
        others = len(large) - MAX_LARGE_GROUPS
        warnings.append(f"{others:,} more group{'s have' if others > 1 else ' has'} more images than {limit}")
    return warnings


def _missing_classes(report: SplitReport) -> list[str]:
    """A warning for each side that lacks a class."""
    warnings = []
    for side, name in enumerate(report.side_names):
        missing = [report.class_names[c] for c, count in enumerate(report.class_counts[side]) if not count]
        if len(missing) == len(report.class_names):
            warnings.append(f"{name} has no image{' with every label' if report.images[side] else ''}")
        elif missing:
            noun = "class" if len(missing) == 1 else f"{len(missing):,} classes"
            warnings.append(f"{name} has no image of {noun} {listing(missing)}; all outputs still include every class")
    return warnings


def _groups(count: int, grouped_by: str | None) -> str:
    return f"{count:,} group{'s' if count > 1 else ''}" + (f" ({grouped_by})" if grouped_by else "")


def _with_shares(counts: list[int]) -> list[tuple[str, str]]:
    """Each count with its percentage of all."""
    total = sum(counts)
    return [(f"{count:,}", f"{100 * count / total:.1f}" if total else "-") for count in counts]
