"""Targets of a table and of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.data.channel import read_channel
from model.data.table import Table
from model.errors import Problems
from model.network.heads import Heads, make_heads
from model.network.number_bins import NumberBins
from model.training.targets import Targets


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


@pytest.fixture(scope="module")
def heads(table) -> Heads:
    return make_heads(table.scheme, "heads", lambda head, classes: classes)


def test_classes_are_the_codes_of_each_heads_attribute(heads, table):
    targets = Targets.of(heads, table)
    for name, classes in zip(("mask", "gender", "age"), targets.classes):
        assert classes.dtype == torch.int64
        np.testing.assert_array_equal(classes.numpy(), table.labels[name].to_numpy())


def test_a_batch_has_the_targets_of_its_rows_in_its_order(heads, table):
    targets = Targets.of(heads, table)
    batch = targets.take(torch.tensor([5, 2, 7])).to(torch.device("cpu"))
    assert batch.rows.tolist() == [5, 2, 7]
    for whole, taken in zip(targets.classes, batch.classes):
        assert taken.tolist() == whole[[5, 2, 7]].tolist()
    assert batch.take(torch.tensor([2, 0])).rows.tolist() == [7, 5]


def test_a_batch_has_the_distributions_of_its_rows(heads, table):
    assert Targets.of(heads, table).distributions == []
    bins = NumberBins((0.0, 15.0, 30.0, 60.0, 90.0), (30.0, 60.0), 0.5, 4.0)
    learned = make_heads(table.scheme, "heads", lambda head, classes: classes, bins={"age": bins})
    whole = Targets.of(learned, table)
    batch = whole.take(torch.tensor([5, 2])).to(torch.device("cpu"))
    assert whole.distributions[:2] == batch.distributions[:2] == [None, None]
    (whole_age, age) = (targets.distributions[2] for targets in (whole, batch))
    assert whole_age is not None and age is not None and whole_age.shape == (len(table), 4)
    assert torch.equal(age, whole_age[[5, 2]])
    assert replace(batch, distributions=[]).take(torch.tensor([1])).distributions == []


def test_weights_have_a_mean_of_1_and_follow_the_rows(heads, table):
    assert Targets.of(heads, table).weights is None
    weights = np.arange(len(table), dtype=np.float64)
    targets = Targets.of(heads, replace(table, weights=weights))
    assert targets.weights is not None and targets.weights.dtype == torch.float32
    np.testing.assert_allclose(targets.weights.numpy(), weights / weights.mean(), rtol=1e-6)
    batch = targets.take(torch.tensor([5, 2])).to(torch.device("cpu"))
    assert batch.weights is not None and batch.weights.tolist() == targets.weights[[5, 2]].tolist()
