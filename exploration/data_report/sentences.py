"""Sentences of the data report and its formats of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from exploration.data_report.findings import counted_groups, group_noun
from exploration.data_report.report_data import ReportData
from exploration.data_report.summary import GroupCounts, TargetCounts
from model.errors import listing
from model.evaluation.report.sentences import classes_of, count, counted, percent

if TYPE_CHECKING:
    from exploration.data_report.analysis import Analysis

MOST_BARS = 12
MOST_SIZES = 3


def nouns(column: str) -> tuple[str, str]:
    """The groups of a column in the plural and in the singular: `persons`, `person`; images without groups."""
    noun = group_noun(column)
    return f"{noun}s", noun


def short_count(number: int) -> str:
    """`999`, `1.2k`, `12k`: fits above a bar."""
    if number < 1000:
        return str(number)
    return f"{number / 1000:.1f}k" if number < 9950 else f"{number / 1000:.0f}k"


def subject(data: ReportData) -> str:
    """The images, groups and classes of the channel, in one line."""
    table, inside = data.table, data.in_channel
    groups = ""
    if table.grouped_by:
        groups = f" of {counted_groups(table.grouped_by, len(set(table.groups[inside & data.has_group])))}"
    text = f"{counted(int(inside.sum()), 'image')}{groups}, {classes_of(table.scheme)}"
    return text if inside.all() else f"{text}; and {counted(int((~inside).sum()), 'image')} to evaluate on"


def balance(target: TargetCounts) -> str:
    """How unequal the classes of a target are."""
    sizes = [(one.channel_images, one.name) for one in target.classes if one.channel_images]
    if len(sizes) < 2:
        return f"{counted(len(target.classes), 'class', 'es')}."
    (least, smallest), (most, largest) = min(sizes), max(sizes)
    if most < 1.5 * least:
        return f"{count(len(target.classes))} classes of about the same size."
    times = f"{most / least:.0f}" if most > 10 * least else f"{most / least:.1f}"
    return (
        f"{count(len(target.classes))} classes; the largest, {largest}, has {times} times as many images as the "
        f"smallest, {smallest}."
    )


def missing_labels(analysis: Analysis) -> list[str]:
    """A sentence for each attribute and split in which some labels are missing."""
    data, texts = analysis.data, []
    labelled = data.labelled_splits
    for target in analysis.targets[1:] or analysis.targets:
        for split in labelled:
            name, total, _ = analysis.splits[split]
            missing = target.missing[split]
            if missing:
                where = f" of {name}" if len(data.split_names) > 1 else ""
                texts.append(
                    f"{count(missing)} of {counted(total, 'image')}{where} ({percent(missing / total)}) "
                    f"{'has' if missing == 1 else 'have'} no label of {target.name}."
                )
    return texts


def unlabelled(data: ReportData) -> str:
    """Which splits have no labels."""
    names = [name for split, name in enumerate(data.split_names) if split not in data.labelled_splits]
    return f"The images of {listing(names)} have no labels, so the classes are counted without them." if names else ""


def group_bars(groups: GroupCounts) -> list[tuple[str, int]]:
    """Number of groups by number of images; in ranges, by their lower bounds, if there are more than MOST_BARS."""
    sizes = groups.sizes
    if len(sizes) <= MOST_BARS:
        return [(str(size), number) for size, number in sizes.items()]
    edges = np.unique(np.round(np.geomspace(min(sizes), max(sizes) + 1, MOST_BARS + 1)).astype(int)).tolist()
    bars = []
    for low, high in pairwise(edges):
        number = sum(groups_ for size, groups_ in sizes.items() if low <= size < high)
        bars.append((str(low), number))
    return bars


def groups_sentence(groups: GroupCounts, noun: str) -> str:
    """Number and sizes of the groups. noun: in the plural."""
    sizes = list(groups.sizes)
    verb = "has" if groups.ungrouped == 1 else "have"
    rest = f" {counted(groups.ungrouped, 'image')} {verb} none." if groups.ungrouped else ""
    if len(sizes) == 1:
        each = f"each with {counted(sizes[0], 'image')}"
        return f"{counted_groups(groups.column, groups.count)}, by the column {groups.column}, {each}.{rest}"
    return (
        f"{count(groups.count)} {noun}, by the column {groups.column}, with {count(min(sizes))} to "
        f"{count(max(sizes))} images, median {groups.median:g}.{rest} train.py never splits one."
    )


def sizes_sentence(sizes: Sequence[tuple[int, int, int]]) -> str:
    """The most frequent sizes of the images."""
    if not sizes:
        return "No image."
    total = sum(number for _, _, number in sizes)

    def text(width: int, height: int) -> str:
        return f"{width} × {height}"

    if len(sizes) == 1:
        width, height, _ = sizes[0]
        return f"All images have {text(width, height)} pixels."
    most = ", ".join(f"{text(w, h)} ({percent(n / total, 0)})" for w, h, n in sizes[:MOST_SIZES])
    smallest = min(sizes, key=lambda size: size[0] * size[1])
    largest = max(sizes, key=lambda size: size[0] * size[1])
    return (
        f"{counted(len(sizes), 'size')} in pixels; the most frequent: {most}. The smallest is "
        f"{text(*smallest[:2])}, the largest {text(*largest[:2])}."
    )


def left_out(classes: int, shown: int) -> str:
    if classes == shown:
        return ""
    return f"Samples of the {count(shown)} smallest of {count(classes)} classes."


def map_sentence(analysis: Analysis) -> str:
    """Which images are in the map."""
    shown, total = len(analysis.found_map.rows), len(analysis.data)
    if shown == total:
        return "All images are in the map."
    return (
        f"The map has {count(shown)} of {count(total)} images: all images of small classes and a random sample of the "
        "others."
    )


def duplicates_sentence(analysis: Analysis, on_page: int) -> str:
    """How many pairs were found, and which of them are on the page."""
    shown, noun = analysis.shown, nouns(analysis.data.table.grouped_by)[1]
    total = len(shown.pairs)
    inside = shown.within_groups
    own = f" {counted(inside, 'pair')} of images of the same {noun} {'is' if inside == 1 else 'are'} not listed."
    within = own if inside else ""
    if not total:
        return f"No near-duplicates were found{' across ' + noun + 's' if inside else ''}.{within}"
    first = "" if on_page == total else f" The first {on_page} are shown; --json writes all."
    return (
        f"{counted(total, 'pair')}: copies that were recompressed, resized, flipped or slightly cropped. Pairs with "
        f"different labels come first, then pairs in different splits.{first}{within}"
    )
