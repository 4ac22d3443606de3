"""Bins of a number: their edges, bands, and the sums over them."""

from __future__ import annotations

import numpy as np
import pytest

from model.attributes import banded
from model.errors import InputError
from model.network.number_bins import NumberBins, make_bins
from model.settings.numbers import NumberLearning

AGES = np.array([18.0, 25, 30, 60, np.nan])


def ages(**options: object) -> NumberBins:
    return make_bins("age", (30.0, 60.0), NumberLearning(**{"sigma": 2.0, **options}), AGES)  # type: ignore[arg-type]


def test_default_bins_reach_3_sigma_beyond_the_numbers():
    bins = ages()
    assert (bins.edges[0], bins.edges[-1]) == (12, 67)  # 18 - 6 and 60 + 1 + 6
    np.testing.assert_allclose(np.diff(bins.edges), 1)
    assert len(bins) == 55 and bins.sigma == 2


def test_bins_reach_at_least_one_bin_beyond_the_cuts():
    bins = make_bins("price", (100.0, 200.0), NumberLearning(1.0, 30.0), np.array([140.5, 150.5]))
    assert bins.edges[0] == 70 and bins.edges[-1] == 230
    np.testing.assert_allclose(np.diff(bins.edges), [30, *[100 / 3] * 3, 30])


def test_whole_numbers_are_at_the_middle_of_their_unit():
    bins = ages()
    assert bins.offset == 0.5
    np.testing.assert_allclose(bins.values, np.arange(12, 67))
    assert make_bins("age", (30.5,), NumberLearning(2.0), AGES).offset == 0
    assert make_bins("age", (30.0,), NumberLearning(2.0), np.array([18.5, 40])).offset == 0


@pytest.mark.parametrize("width", [1.0, 2.5, 7.0, 100.0])
@pytest.mark.parametrize("bounds", [(), (0.0, 90.0), (29.5, 61.0)])
def test_each_cut_is_an_edge_and_each_value_is_in_its_band(width, bounds):
    """Reference: the band that the attribute has for the value of a bin."""
    bins, attribute = ages(bin_width=width, range=bounds), banded("age", [30, 60])
    assert {30.0, 60.0} <= set(bins.edges)
    assert [attribute.band(value + bins.offset) for value in bins.values] == bins.bands.tolist()
    assert set(bins.bands.tolist()) == {0, 1, 2}
    if bounds:
        assert (bins.edges[0], bins.edges[-1]) == (bounds[0], bounds[1] + 1)


def test_bands_and_mean_are_sums_over_bins():
    bins = ages(bin_width=4.0)
    logits = np.random.default_rng(0).normal(scale=3, size=(6, len(bins)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    log_p = np.log(p).astype(np.float32)
    expected = np.stack([p[:, bins.bands == band].sum(axis=1) for band in range(3)], axis=1)
    np.testing.assert_allclose(np.exp(bins.band_log_probabilities(log_p)), expected, rtol=1e-5)
    mean = [sum(p[row, bin] * bins.values[bin] for bin in range(len(bins))) for row in range(6)]
    np.testing.assert_allclose(bins.mean(log_p), mean, rtol=1e-5)


def test_numbers_are_needed_and_the_number_of_bins_is_limited():
    with pytest.raises(InputError, match=r"attribute age: .* every training label is the name of a band"):
        make_bins("age", (30.0,), NumberLearning(2.0), np.array([np.nan]))
    with pytest.raises(InputError, match=r"bin_width 0.01 makes 5,500 bins from 12 to 67, expected at most 1,000"):
        ages(bin_width=0.01)


def test_saved_bins_are_read_unchanged_and_invalid_ones_are_an_error():
    bins = ages(bin_width=0.7)
    assert NumberBins.from_dict(bins.to_dict(), bins.cuts) == bins
    for edges, sigma, message in (([0, 2, 1], 1, "increasing"), ([0, 1, 2], 1, "cut"), ([0, 30, 60], 0, "sigma")):
        with pytest.raises(InputError, match=message):
            NumberBins.from_dict({"edges": edges, "offset": 0, "sigma": sigma}, (30.0,))
