"""What the page's charts draw: numbers and places; the templates make SVG of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from model.evaluation.evaluate import ReliabilityBin
from model.evaluation.subgroups import Subgroup
from model.metrics.bootstrap import Interval

MOST_STEPS = 12  # pictures a group up to which each number of right ones has a bar of its own
TENTHS = 10


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram. height: of the highest bar's, 0 to 1."""

    label: str
    count: int
    height: float


@dataclass(frozen=True)
class Point:
    """A bin of the reliability curve. radius: by its share of the pictures, in units of the chart."""

    bin: ReliabilityBin
    radius: float


def spread(slices: Sequence[Subgroup]) -> list[Bar]:
    """How many groups have which share of their pictures right: a bar for each number of right ones where all groups
    have equally many pictures and these are few, else one for each tenth."""
    sizes = {of.pictures for of in slices}
    size = next(iter(sizes))
    if len(sizes) == 1 and size <= MOST_STEPS:
        counts = Counter(of.correct for of in slices)
        labels = [str(right) for right in range(size + 1)]
    else:
        counts = Counter(min(of.correct * TENTHS // of.pictures, TENTHS - 1) for of in slices)
        labels = [*(f"{10 * tenth}–{10 * tenth + 9}" for tenth in range(TENTHS - 1)), "90–100"]
    highest = max(counts.values())
    return [Bar(label, counts[at], counts[at] / highest) for at, label in enumerate(labels)]


def reliability_points(bins: Sequence[ReliabilityBin]) -> list[Point]:
    most = max((of.pictures for of in bins), default=1)
    return [Point(of, 2.5 + 5 * math.sqrt(of.pictures / most)) for of in bins]


def widest(intervals: Sequence[Interval]) -> float:
    """The greatest distance from 0 among values and their bounds, for an axis that reaches as far on both sides."""
    ends = [abs(end) for of in intervals for end in (of.value, of.low, of.high) if end is not None]
    return max(ends, default=0.0) or 1.0
