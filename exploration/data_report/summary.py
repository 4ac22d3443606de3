"""Counts of a data report: images and groups per split, class and attribute, sizes of groups, and label checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exploration.data_report.report_data import ReportData
from model.evaluation.report.sentences import JOINT_TITLE

FEW_GROUPS = 10  # groups of a class, below which its scores are uncertain
MOSTLY = 0.9  # share of the groups with one value from which an attribute is a property of the group
LARGEST_GROUPS = 10  # groups that are listed


@dataclass(frozen=True)
class ClassCount:
    """A class. images, groups: Their number in each split; channel_groups: in the channel, that is without eval."""

    name: str
    images: list[int]
    groups: list[int]
    channel_images: int
    channel_groups: int


@dataclass(frozen=True)
class TargetCounts:
    """The classes of an attribute, or the joint classes.

    Attributes:
        name: Name of the attribute, or JOINT_TITLE.
        classes: The classes, in the order of the scheme.
        missing: Number of images without a label in each split.
        few: Classes that have images, but fewer than FEW_GROUPS groups, the smallest first.
        absent: Names of classes without an image in the channel.
    """

    name: str
    classes: list[ClassCount]
    missing: list[int]
    few: list[ClassCount]
    absent: list[str]


@dataclass(frozen=True)
class GroupCounts:
    """Sizes of the groups of the channel.

    Attributes:
        column: Column of the groups.
        count: Number of groups.
        sizes: Number of groups by number of images, ascending.
        largest: Name and number of images of the largest groups.
        median: Median number of images of a group.
        ungrouped: Number of images without a group.
    """

    column: str
    count: int
    sizes: dict[int, int]
    largest: list[tuple[str, int]]
    median: float
    ungrouped: int


@dataclass(frozen=True)
class MixedGroup:
    """A group with several values of an attribute that almost all groups have one value of.

    values: Number of images by value, the most frequent first; rows: Its images.
    """

    attribute: str
    group: str
    values: dict[str, int]
    rows: list[int]


def split_counts(data: ReportData) -> list[tuple[str, int, int]]:
    """Name, number of images and number of groups of each split; an image without a group is in none."""
    splits, groups = data.splits, np.where(data.has_group, data.group_codes, -1)
    counts = []
    for number, name in enumerate(data.split_names):
        own = groups[splits == number]
        counts.append((name, len(own), len(np.unique(own[own >= 0]))))
    return counts


def target_counts(data: ReportData) -> list[TargetCounts]:
    """The counts of the joint class, if there are several attributes, and of each attribute."""
    table, scheme = data.table, data.table.scheme
    targets = [
        _counts_of(data, attribute.name, attribute.values, table.labels[attribute.name].to_numpy())
        for attribute in scheme.attributes
    ]
    if len(targets) > 1:
        targets.insert(0, _counts_of(data, JOINT_TITLE, scheme.class_names, table.classes()))
    return targets


def _counts_of(data: ReportData, name: str, class_names: Sequence[str], classes: np.ndarray) -> TargetCounts:
    """The counts of one target.

    Args:
        data: The images.
        name: Name of the target.
        class_names: Names of its classes.
        classes: int64 (n,), class of each image, negative if its label is missing.
    """
    splits, groups = data.splits, data.group_codes
    shape = (len(class_names), len(data.split_names))
    known = classes >= 0
    images = np.zeros(shape, np.int64)
    np.add.at(images, (classes[known], splits[known]), 1)
    # each group counts once per class and split
    group_counts = np.zeros(shape, np.int64)
    distinct = np.unique(np.column_stack([classes, splits, groups])[known], axis=0)
    np.add.at(group_counts, (distinct[:, 0], distinct[:, 1]), 1)
    in_channel = known & data.in_channel
    channel_images = np.bincount(classes[in_channel], minlength=shape[0])
    distinct = np.unique(np.column_stack([classes, groups])[in_channel], axis=0)
    channel_groups = np.bincount(distinct[:, 0].astype(np.int64), minlength=shape[0])
    counts = [
        ClassCount(
            text,
            images[code].tolist(),
            group_counts[code].tolist(),
            int(channel_images[code]),
            int(channel_groups[code]),
        )
        for code, text in enumerate(class_names)
    ]
    few = [one for one in counts if 0 < one.channel_groups < FEW_GROUPS]
    return TargetCounts(
        name=name,
        classes=counts,
        missing=np.bincount(splits[~known], minlength=shape[1]).tolist(),
        few=sorted(few, key=lambda one: (one.channel_groups, one.channel_images)),
        absent=[one.name for one in counts if not one.channel_images],
    )


def group_counts(data: ReportData) -> GroupCounts | None:
    """The sizes of the groups of the channel; None if it has no groups."""
    sizes = Counter(data.table.groups[data.in_channel & data.has_group].tolist())
    if not data.table.grouped_by or not sizes:
        return None
    return GroupCounts(
        column=data.table.grouped_by,
        count=len(sizes),
        sizes=dict(sorted(Counter(sizes.values()).items())),
        largest=sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:LARGEST_GROUPS],
        median=float(np.median(list(sizes.values()))),
        ungrouped=int((data.in_channel & ~data.has_group).sum()),
    )


def mixed_groups(data: ReportData) -> list[MixedGroup]:
    """Groups whose images have several values of an attribute, where at least MOSTLY of the groups have one value."""
    if not data.table.grouped_by:
        return []
    mixed = []
    groups = data.group_codes
    for attribute in data.table.scheme.attributes:
        codes = data.table.labels[attribute.name].to_numpy()
        known = codes >= 0
        values = np.unique(np.column_stack([groups, codes])[known], axis=0)[:, 0]
        sizes = np.bincount(groups[known])
        per_group = np.bincount(values, minlength=len(sizes))
        several = np.flatnonzero(per_group > 1)
        with_two = (sizes > 1).sum()
        if not len(several) or len(several) > (1 - MOSTLY) * with_two:
            continue
        for group in several.tolist():
            rows = np.flatnonzero(groups == group)
            counts = Counter(attribute.values[code] for code in codes[rows].tolist() if code >= 0)
            mixed.append(
                MixedGroup(attribute.name, str(data.table.groups[rows[0]]), dict(counts.most_common()), rows.tolist())
            )
    return mixed
