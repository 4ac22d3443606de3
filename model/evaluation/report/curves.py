"""Curves of the report as SVG coordinates: accuracy and error against coverage, losses and scores by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.evaluation.asked import Asked
from model.evaluation.coverage import CoveragePoint
from model.metrics.bootstrap import Interval
from model.metrics.epoch_metrics import EPOCH_METRICS

WIDTH, HEIGHT = 280, 180  # of a chart's area, in units of the SVG
INTERVALS = 4  # between ticks, approximately
STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten
ROUNDING = 1e-9


@dataclass(frozen=True)
class Axis:
    """A range of values and its ticks, each with its position in the chart and its text."""

    low: float
    high: float
    ticks: list[tuple[float, str]]


@dataclass(frozen=True)
class CoverageChart:
    """line, band: SVG paths of the values and of their intervals ("" without one); dots: position of each point; mark:
    that of the predictions with advice to ask a person."""

    axis: Axis
    line: str
    band: str
    dots: list[tuple[float, float]]
    mark: tuple[float, float] | None = None


@dataclass(frozen=True)
class LearningCurve:
    """A chart of some metrics by epoch.

    lines: Label, whether it is of validation, and SVG path of each metric; best: position of the epoch of the weights.
    """

    title: str
    axis: Axis
    epochs: list[tuple[float, str]]
    lines: list[tuple[str, bool, str]]
    best: float | None


def make_axis(low: float, high: float, percent: bool = False) -> Axis:
    """An axis from a round number at or below `low` to one at or above `high`. percent: Ticks in percent."""
    rough = ((high - low) or abs(high) or 1.0) / INTERVALS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in STEPS if power * factor >= rough * (1 - ROUNDING))
    first = math.floor(low / step + ROUNDING)
    last = max(math.ceil(high / step - ROUNDING), first + 1)
    bottom, top = first * step, last * step
    marks = [number * step for number in range(first, last + 1)]
    return Axis(bottom, top, [(_y(mark, bottom, top), f"{100 * mark if percent else mark:.4g}") for mark in marks])


def coverage_chart(points: Sequence[CoveragePoint]) -> CoverageChart | None:
    """The chart of accuracy against coverage; None without points."""
    if not points:
        return None
    return _chart([(point.coverage, point.accuracy) for point in points])


def risk_chart(points: Sequence[CoveragePoint], asked: Asked | None) -> CoverageChart | None:
    """The chart of error against coverage, with a mark for the answers that asking a person leaves; None without advice
    to ask a person, or without points."""
    if not points or asked is None:
        return None
    errors = [(point.coverage, complement(point.accuracy)) for point in points]
    scores = asked.everything
    mark = (scores.coverage.value, scores.error.value) if scores.coverage and scores.error else None
    return _chart(errors, mark)


def complement(share: Interval) -> Interval:
    """1 minus a share."""
    low, high = (None if bound is None else 1 - bound for bound in (share.high, share.low))
    return Interval(1 - share.value, low, high, share.deviation)


def _chart(points: Sequence[tuple[float, Interval]], mark: tuple[float, float] | None = None) -> CoverageChart:
    """The chart of values against coverage. mark: Coverage and value of a further point."""
    values = [value for _, one in points for value in (one.value, one.low, one.high)]
    known = [value for value in [*values, mark[1] if mark else None] if value is not None]
    axis = make_axis(min(known), max(known), percent=True)
    dots = [(WIDTH * coverage, _y(one.value, axis.low, axis.high)) for coverage, one in points]
    bounds = [(coverage, one.low, one.high) for coverage, one in points]
    inside = [(at, low, high) for at, low, high in bounds if low is not None and high is not None]
    upper = [(WIDTH * at, _y(high, axis.low, axis.high)) for at, _, high in inside]
    lower = [(WIDTH * at, _y(low, axis.low, axis.high)) for at, low, _ in inside]
    marked = (WIDTH * mark[0], _y(mark[1], axis.low, axis.high)) if mark else None
    return CoverageChart(axis, path(dots), f"{path([*upper, *reversed(lower)])}Z" if inside else "", dots, marked)


def learning_curves(history: Sequence[Mapping[str, float]], best: int) -> list[LearningCurve]:
    """The scores and the losses by epoch; empty with fewer than two epochs. best: Epoch of the saved weights."""
    epochs = [record["epoch"] for record in history if "epoch" in record]
    if len(epochs) < 2 or len(epochs) != len(history):
        return []
    first, last = min(epochs), max(epochs)

    def x(epoch: float) -> float:
        return WIDTH * (epoch - first) / ((last - first) or 1)

    step = max(1, round((last - first) / 5))
    marks = [(x(epoch), f"{epoch:g}") for epoch in range(int(first), int(last) + 1, step)]
    curves = []
    for title, names in (("Scores", ("val_f1", "val_acc")), ("Losses", ("train_loss", "val_loss"))):
        values = [record[name] for name in names for record in history if name in record]
        if not values:
            continue
        axis = make_axis(0.0 if title == "Losses" else min(values), max(values))
        lines = []
        for name in names:
            dots = [(x(record["epoch"]), _y(record[name], axis.low, axis.high)) for record in history if name in record]
            if dots:
                lines.append((EPOCH_METRICS[name].column, name != "train_loss", path(dots)))
        at = x(best) if first <= best <= last and any(is_validation for _, is_validation, _ in lines) else None
        curves.append(LearningCurve(title, axis, marks, lines, at))
    return curves


def path(dots: Sequence[tuple[float, float]]) -> str:
    """An SVG path through points."""
    return "".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(dots))


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT * (high - value) / ((high - low) or 1)
