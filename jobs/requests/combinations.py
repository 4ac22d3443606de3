"""Checks the combinations of settings that the trainings of a search may have, before any of them is paid for."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobs.spec.isolation import isolation_problem
from model.settings.fields import value_text
from model.settings.train import TrainSettings

MOST_COMBINATIONS = 20_000  # up to this number all are checked, above it every pair of values (see _combinations)
WHOLE_RANGE = 50  # ranges of at most this many integers are checked completely, longer ones at ends and middle


def refused_combinations(
    values: Mapping[str, Sequence[Any]], ranges: Sequence[str], base: TrainSettings, isolated: bool
) -> list[str]:
    """Checks every combination of the values that a search varies.

    Args:
        values: The values of each setting; for a range, its two ends.
        ranges: Names of the settings that are ranges of numbers.
        base: The settings that are not varied.
        isolated: Whether the trainings have no network access.

    Returns:
        One line per reason why training refuses combinations, with an example and the number of combinations.
    """
    points = {name: _points(items) if name in ranges else list(items) for name, items in values.items()}
    examples: dict[str, str] = {}  # by reason, with numbers replaced by 0
    counts: dict[str, int] = {}
    total = 0
    for combination in _combinations(points):
        total += 1
        for reason in _reasons(combination, base, isolated):
            key = re.sub(r"\d[\d.e+-]*", "0", reason)
            counts[key] = counts.get(key, 0) + 1
            if key not in examples:
                # the settings that cause the problem: it disappears with another of their values
                names = [
                    name
                    for name, items in points.items()
                    if any(reason not in _reasons({**combination, name: item}, base, isolated) for item in items)
                ]
                example = ", ".join(f"{name} {value_text(combination[name])}" for name in names or points)
                examples[key] = f"{example}: {reason}"
    return [f"ranges: {example} ({counts[key]:,} of {total:,} combinations)" for key, example in examples.items()]


def _reasons(combination: Mapping[str, Any], base: TrainSettings, isolated: bool) -> list[str]:
    """Returns the reasons why training refuses a combination; none if it is valid."""
    settings = replace(base, **combination)
    problem = isolation_problem(settings) if isolated else None
    return [*settings.contradictions(), *([problem] if problem else [])]


def _points(ends: Sequence[Any]) -> list[Any]:
    """Returns the values of a range to check: all values of a short range of integers, otherwise ends and middle."""
    low, high = ends
    if isinstance(low, int) and isinstance(high, int):
        return list(range(low, high + 1)) if high - low < WHOLE_RANGE else [low, (low + high) // 2, high]
    return [low, (low + high) / 2, high]


def _combinations(points: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yields all combinations. If there are too many, every pair of values, with all other settings at their first and
    then at their last value."""
    names = list(points)
    if math.prod(map(len, points.values())) <= MOST_COMBINATIONS:
        for items in itertools.product(*points.values()):
            yield dict(zip(names, items, strict=True))
        return
    for end in (0, -1):
        others = {name: points[name][end] for name in names}
        for one, other in itertools.combinations(names, 2):
            for first, second in itertools.product(points[one], points[other]):
                yield {**others, one: first, other: second}
