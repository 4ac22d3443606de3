"""Data of the report's charts: bars of a histogram, points of the reliability curve. The templates draw the SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from model.evaluation.reliability import ReliabilityBin
from model.evaluation.subgroups import Subgroup
from model.metrics.bootstrap import Interval

MOST_BARS = 12  # images per group up to which each number of correct ones has a bar of its own
TENTHS = 10
SMALLEST_RADIUS, RADIUS_RANGE = 2.5, 5.0  # of points, in units of the chart


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram. height: Relative to the highest bar, 0 to 1."""

    label: str
    count: int
    height: float


@dataclass(frozen=True)
class Point:
    """A bin of the reliability curve. radius: In units of the chart; its area grows with the number of images."""

    bin: ReliabilityBin
    radius: float


def accuracy_histogram(groups: Sequence[Subgroup]) -> list[Bar]:
    """Histogram of the groups by their number or share of correct images.

    There is one bar per number if all groups have the same number of images, at most MOST_BARS; otherwise one bar per
    tenth of the share, labelled in percent.
    """
    sizes = {group.pictures for group in groups}
    size = next(iter(sizes))
    if len(sizes) == 1 and size <= MOST_BARS:
        counts = Counter(group.correct for group in groups)
        labels = [str(correct) for correct in range(size + 1)]
    else:
        counts = Counter(min(group.correct * TENTHS // group.pictures, TENTHS - 1) for group in groups)
        labels = [*(f"{10 * tenth}–{10 * tenth + 9}" for tenth in range(TENTHS - 1)), "90–100"]
    highest = max(counts.values())
    return [Bar(label, counts[number], counts[number] / highest) for number, label in enumerate(labels)]


def reliability_points(bins: Sequence[ReliabilityBin]) -> list[Point]:
    """A point for each bin, in their order."""
    most = max((bin_.pictures for bin_ in bins), default=1)
    return [Point(bin_, SMALLEST_RADIUS + RADIUS_RANGE * math.sqrt(bin_.pictures / most)) for bin_ in bins]


def axis_limit(intervals: Sequence[Interval]) -> float:
    """The limit of an axis symmetric about 0: the largest absolute value or bound; 1 if all are 0."""
    ends = [
        abs(end) for interval in intervals for end in (interval.value, interval.low, interval.high) if end is not None
    ]
    return max(ends, default=0.0) or 1.0
