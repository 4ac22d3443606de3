"""Charts of the report as numbers: bars of a histogram and points of the calibration plot (its bins are
`model.metrics.calibration.CALIBRATION_BINS`). The templates draw the SVG.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from model.evaluation.evaluate import ReliabilityBin
from model.evaluation.subgroups import Subgroup
from model.metrics.bootstrap import Interval

MOST_BARS = 12  # correct images of a group up to which each number has a bar of its own
TENTHS = 10
SMALLEST_RADIUS, RADIUS_RANGE = 2.5, 5.0  # of a point, in units of the chart


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram. height: relative to the highest bar, 0 to 1."""

    label: str
    count: int
    height: float


@dataclass(frozen=True)
class Point:
    """A bin of the reliability curve. radius: in units of the chart; its square grows with the bin's images."""

    bin: ReliabilityBin
    radius: float


def accuracy_histogram(groups: Sequence[Subgroup]) -> list[Bar]:
    """Histogram of the groups by how many of their images are answered correctly.

    Where all groups have the same number of images, at most MOST_BARS, there is a bar for each number of right
    images; else one for each tenth of the share, labelled in percent.
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
    """The greatest distance from 0 of the values and their bounds, for an axis symmetric about 0; 1 if all are 0."""
    ends = [
        abs(end) for interval in intervals for end in (interval.value, interval.low, interval.high) if end is not None
    ]
    return max(ends, default=0.0) or 1.0
