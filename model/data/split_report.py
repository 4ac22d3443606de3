"""SplitReport: how many images, groups and images of each class every side of a split has, with warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import listing
from model.runtime.terminal import text_table

MAX_CLASSES = 20  # rows of the table; of more classes, the most and the least frequent
MAX_LARGE_GROUPS = 3  # large groups that have a warning each


@dataclass(frozen=True)
class SplitReport:
    """What a split did.

    Attributes:
        grouped_by: Column of the groups, None where every image is its own.
        side_names: Names of the sides.
        class_names: Names of the joint classes.
        images: Images of each side.
        groups: Groups of each side.
        class_counts: Images by side and class.
        warnings: Sentences for the log.
        labelled: Where labels are missing, images by side that have a label, by attribute; else empty.
    """

    grouped_by: str | None
    side_names: list[str]
    class_names: list[str]
    pictures: list[int]
    groups: list[int]
    class_counts: list[list[int]]
    warnings: list[str]
    labelled: dict[str, list[int]]

    def text(self) -> str:
        """A table for the log: images, groups and classes by side, with the side's share of each; then the warnings."""
        rows = [("pictures", self.pictures)]
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
        """For JSON; `share` is that of all sides' images."""
        return {
            "grouped_by": self.grouped_by,
            "sides": {
                name: {
                    "pictures": self.pictures[side],
                    "share": self.pictures[side] / sum(self.pictures),
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
    """Counts what is on each side of a split.

    Args:
        groups: str (n,), the group of each row.
        classes: int64 (n,), the joint class of each row, negative where a label is missing.
        sides: int64 (n,), the side of each row.
        class_names: Names of the joint classes.
        side_names: Names of the sides.
        grouped_by: Column of the groups, None where every image is its own.
        shares: Shares of the sides that were asked for; None where the sides were given, as channels or lists.
        labels: Of each attribute the class of each row, int64 (n,), negative where its label is missing; they are
            counted where any is.
    """
    names, group_of_row = np.unique(groups, return_inverse=True)
    num_sides, num_classes = len(side_names), len(class_names)
    known = classes >= 0
    class_counts = np.bincount((sides * num_classes + classes)[known], minlength=num_sides * num_classes)
    pictures = np.bincount(sides, minlength=num_sides)
    missing = {} if known.all() else labels or {}
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
        {name: np.bincount(sides[codes >= 0], minlength=num_sides).tolist() for name, codes in missing.items()},
    )

    divided = names[on_side.sum(axis=1) > 1]
    if len(divided):
        report.warnings.append(
            f"{_groups(len(divided), grouped_by)} on two sides ({listing(divided)}): scores will look too good"
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
    """A warning for each of the largest groups that are larger than the smallest side was to be.

    on_side: Whether a group is on a side, (groups, sides); wanted: number of images of each side.
    """
    smallest = int(np.argmin(np.where(wanted > 0, wanted, np.inf)))
    sizes = np.bincount(group_of_row)
    large = np.flatnonzero(sizes > wanted[smallest])
    large = large[np.argsort(-sizes[large], kind="stable")]
    if len(report.side_names) < 2 or not len(large):
        return []
    total, limit = len(group_of_row), f"the {wanted[smallest]:,.0f} for {report.side_names[smallest]}"
    warnings = [
        f"{report.grouped_by or 'group'} {names[group]} has {sizes[group]:,} of {total:,} images "
        f"({100 * sizes[group] / total:.1f} %), more than {limit}: all of them are in "
        f"{listing(name for side, name in enumerate(report.side_names) if on_side[group, side])}"
        for group in large[:MAX_LARGE_GROUPS]
    ]
    if len(large) > MAX_LARGE_GROUPS:
        others = _groups(len(large) - MAX_LARGE_GROUPS, report.grouped_by)
        warnings.append(f"{others} more have more images than {limit}")
    return warnings


def _missing_classes(report: SplitReport) -> list[str]:
    """A warning for each side that lacks a class."""
    warnings = []
    for side, name in enumerate(report.side_names):
        missing = [report.class_names[c] for c, count in enumerate(report.class_counts[side]) if not count]
        if len(missing) == len(report.class_names):
            warnings.append(f"{name} has no {'image with every label' if report.pictures[side] else 'picture at all'}")
        elif missing:
            noun = "class" if len(missing) == 1 else f"{len(missing):,} classes"
            warnings.append(f"{name} has no image of {noun} {listing(missing)}; every output keeps a place for it")
    return warnings


def _groups(count: int, grouped_by: str | None) -> str:
    return f"{count:,} group{'s' if count > 1 else ''}" + (f" ({grouped_by})" if grouped_by else "")


def _with_shares(counts: list[int]) -> list[tuple[str, str]]:
    """Each count with its percentage of all."""
    total = sum(counts)
    return [(f"{count:,}", f"{100 * count / total:.1f}" if total else "-") for count in counts]
