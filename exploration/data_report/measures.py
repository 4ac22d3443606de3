"""Distributions of the images' sizes, brightness, contrast and blur, odd images, and attributes that are numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exploration.data_report.report_data import ReportData
from exploration.image_statistics import ODDITIES, ImageStatistics, UnusualImage

BARS = 10
QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
STEPS = (1, 2, 2.5, 5, 10)  # widths of bars, times a power of ten
LEAST_BLUR = 0.1  # a smaller variance of the Laplacian is drawn as this one, because the axis is logarithmic

# Field of ImageStatistics, name, meaning
MEASURES = (
    ("brightness", "brightness", "mean luma, 0 black to 255 white"),
    ("contrast", "contrast", "standard deviation of the luma"),
    ("blur", "sharpness", "log10 of the variance of the Laplacian"),
)


@dataclass(frozen=True)
class Measure:
    """A number of each image.

    Attributes:
        name: Name of the number.
        meaning: How it is computed; the title of the axis.
        bars: Lower bound and number of images of each bar.
        quantiles: Value by quantile.
    """

    name: str
    meaning: str
    bars: list[tuple[str, int]]
    quantiles: dict[str, float]


def size_counts(statistics: ImageStatistics) -> list[tuple[int, int, int]]:
    """Width, height and number of images, the most frequent first."""
    known = np.isfinite(statistics.width)
    counts = Counter(zip(statistics.width[known].astype(int).tolist(), statistics.height[known].astype(int).tolist()))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(width, height, number) for (width, height), number in ordered]


def image_measures(statistics: ImageStatistics) -> list[Measure]:
    """The distributions of MEASURES."""
    measures = []
    for field, name, meaning in MEASURES:
        values = getattr(statistics, field)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        drawn = np.log10(np.maximum(values, LEAST_BLUR)) if field == "blur" else values
        quantiles = np.quantile(values, QUANTILES)
        by_name = {f"{100 * q:g} %": float(f"{value:.6g}") for q, value in zip(QUANTILES, quantiles)}
        measures.append(Measure(name, meaning, histogram(drawn), by_name))
    return measures


def odd_counts(statistics: ImageStatistics) -> dict[str, int]:
    """Number of images with each of ODDITIES that occurs."""
    counts = {text: int(np.nansum(getattr(statistics, name))) for name, text in ODDITIES.items()}
    return {text: number for text, number in counts.items() if number}


def by_kind(unusual: Sequence[UnusualImage]) -> dict[str, list[UnusualImage]]:
    """The unusual images by their kind, in their order."""
    kinds: dict[str, list[UnusualImage]] = {}
    for image in unusual:
        kinds.setdefault(image.kind, []).append(image)
    return kinds


def histogram(values: Sequence[float] | np.ndarray, bars: int = BARS) -> list[tuple[str, int]]:
    """Lower bound and number of values of bars of equal, round width; about `bars` of them."""
    values = np.asarray(values, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    rough = (high - low) / bars or 1.0
    power = 10.0 ** np.floor(np.log10(rough))
    width = next(power * step for step in STEPS if power * step >= rough * (1 - 1e-9))
    positions = np.floor(values / width + 1e-9).astype(np.int64)
    first = int(positions.min())
    counts = np.bincount(positions - first)
    labels = [f"{(first + number) * width:.6g}".replace("-", "\u2212") for number in range(len(counts))]
    return list(zip(labels, counts.tolist()))


def number_bars(data: ReportData) -> list[tuple[str, list[tuple[str, int]]]]:
    """Histogram of each attribute that is a number, such as an age, over the channel."""
    table = data.table
    columns = ((str(name), table.numbers[name].to_numpy()[data.in_channel]) for name in table.numbers)
    known = ((name, values[np.isfinite(values)]) for name, values in columns)
    return [(name, histogram(values)) for name, values in known if len(values)]
