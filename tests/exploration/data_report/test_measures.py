from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from exploration.data_report.measures import (
    by_kind,
    histogram,
    image_measures,
    number_bars,
    odd_counts,
    size_counts,
)
from exploration.image_statistics import NAMES, ImageStatistics, UnusualImage


@pytest.fixture(scope="module")
def statistics():
    generator = np.random.default_rng(0)
    values = {name: generator.random(200) for name in NAMES}
    values |= {"width": generator.integers(1, 4, 200) * 10.0, "height": np.full(200, 30.0)}
    values |= {"brightness": generator.uniform(0, 255, 200), "blur": 10 ** generator.uniform(-3, 4, 200)}
    values |= {name: (generator.random(200) < 0.3).astype(float) for name in ("grey", "alpha", "deep")}
    values |= {name: np.zeros(200) for name in ("cmyk", "animated")}
    for own in values.values():
        own[5] = np.nan  # unreadable
    return ImageStatistics(**values)


def test_bars_are_round_and_count_every_value():
    values = np.random.default_rng(1).normal(3, 40, 1000)
    bars = histogram(values)
    edges = [float(label.replace("\u2212", "-")) for label, _ in bars]
    width = edges[1] - edges[0]
    assert width in (10, 20, 25, 50) and 5 <= len(bars) <= 12
    for edge, (_, count) in zip(edges, bars):
        assert count == ((values >= edge) & (values < edge + width)).sum()
    assert sum(count for _, count in bars) == 1000


def test_bars_of_equal_values_and_of_whole_numbers():
    assert histogram([7.0] * 4) == [("7", 4)]
    assert sum(count for _, count in histogram([0.1, 0.2, 0.3])) == 3
    assert histogram([-0.5, 0.5], 2)[0][0] == "\u22120.5"


def test_sizes_are_counted(statistics):
    expected = Counter(zip(np.delete(statistics.width, 5), np.delete(statistics.height, 5)))
    found = size_counts(statistics)
    assert {(width, height): number for width, height, number in found} == expected
    assert [number for *_, number in found] == sorted(expected.values(), reverse=True)


def test_measures_have_quantiles_and_every_readable_image(statistics):
    measures = {measure.name: measure for measure in image_measures(statistics)}
    assert list(measures) == ["brightness", "contrast", "sharpness"]
    assert all(sum(count for _, count in measure.bars) == 199 for measure in measures.values())
    assert measures["brightness"].quantiles["50 %"] == pytest.approx(np.nanmedian(statistics.brightness), rel=1e-4)
    assert measures["sharpness"].bars[0][0] in ("\u22121", "\u22121.0")  # log10 of LEAST_BLUR


def test_oddities_and_unusual_images_are_counted(statistics):
    counts = odd_counts(statistics)
    assert counts["has transparency"] == np.nansum(statistics.alpha) > 0 and "CMYK" not in counts
    images = [UnusualImage(row, kind, 1.0, 9.0, "") for row, kind in ((1, "dark"), (2, "tiny"), (3, "dark"))]
    assert {kind: [image.row for image in own] for kind, own in by_kind(images).items()} == {
        "dark": [1, 3],
        "tiny": [2],
    }


def test_numbers_of_the_channel_have_bars(make_table, make_data):
    numbers = pd.DataFrame({"age": [20.0, 30.0, np.nan, 70.0]})
    table = make_table({"age": ["a", "b", "a", "b"]}, numbers=numbers)
    object.__setattr__(table, "sides", np.array(["train", "train", "train", "eval"], dtype=object))
    ((name, bars),) = number_bars(make_data(table, ["train", "eval"]))
    assert name == "age" and sum(count for _, count in bars) == 2
