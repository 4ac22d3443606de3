"""Which attributes learn a distribution, and their bins from a channel."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from model.attributes import Attribute
from model.data.channel import read_channel
from model.data.table import Table
from model.errors import InputError, Problems
from model.labels import Scheme
from model.settings.fields import Layer, build
from model.settings.numbers import NumberLearning
from model.settings.train import TrainSettings
from model.training.learned_numbers import learned_bins, learned_numbers

ATTRIBUTES = {"age": {"cuts": [30, 60], "learn": "distribution", "sigma": 4, "bin-width": 2}, "mask": ["worn", "none"]}


def settings(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {"target": "heads", **values})])


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def test_attributes_or_age_sigma_say_what_is_learned():
    assert learned_numbers(settings()) == {}
    assert learned_numbers(settings(age_sigma=5)) == {"age": NumberLearning(5.0)}
    assert learned_numbers(settings(attributes=ATTRIBUTES)) == {"age": NumberLearning(4.0, 2.0)}


def test_bins_come_from_the_training_numbers_and_the_cuts(table):
    assert learned_bins(settings(), table) == {}
    (bins,) = learned_bins(settings(age_sigma=5), table).values()
    ages = table.numbers["age"]
    assert bins.cuts == (30, 60) and bins.sigma == 5 and bins.offset == 0.5
    assert ages.min() - 16 <= bins.edges[0] <= ages.min() - 15
    assert ages.max() + 16 <= bins.edges[-1] <= ages.max() + 17


def test_a_target_of_other_attributes_has_no_bins(table):
    mask = replace(table, scheme=table.scheme.only("mask"))
    assert learned_bins(settings(age_sigma=5), mask, table.scheme) == {}


def test_age_sigma_without_the_mask_scheme_is_an_error(table):
    other = replace(table, scheme=Scheme((Attribute("kind", ("a", "b")),)))
    with pytest.raises(InputError, match=r"age_sigma is used only with the mask scheme .* are kind"):
        learned_bins(settings(age_sigma=5), other)


def test_images_with_only_a_band_are_counted_in_the_log(table, caplog):
    numbers = table.numbers.copy()
    numbers.loc[:6, "age"] = np.nan
    with caplog.at_level(logging.INFO, "rarebird"):
        learned_bins(settings(age_sigma=5), replace(table, numbers=numbers))
    assert "age: 7 of 168 training images have only the name of a band" in caplog.text
