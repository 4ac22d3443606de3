"""Reference: the losses of the heads, called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.data.channel import read_channel
from model.data.table import Table
from model.errors import InputError, Problems
from model.network.heads import make_heads
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.criterion import Criterion, head_setting, head_targets
from model.training.losses import class_weights


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def settings(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {"target": "heads", "sampler": "none", **values})])


def make(table: Table, settings: TrainSettings) -> Criterion:
    heads = make_heads(table.scheme, "heads", lambda head: str(head_setting(settings, head, "loss")))
    return Criterion(settings, heads, table)


def batch(criterion: Criterion, table: Table) -> tuple[torch.Tensor, list[torch.Tensor]]:
    logits = torch.randn(8, criterion.heads.outputs, generator=torch.Generator().manual_seed(0))
    return logits, [classes[:8] for classes in head_targets(criterion.heads, table)]


def test_a_heads_own_setting_wins_over_the_common_one():
    heads = settings(loss="cross_entropy", heads={"age": {"loss": "f1"}})
    assert head_setting(heads, "age", "loss") == "f1" and head_setting(heads, "mask", "loss") == "cross_entropy"


def test_targets_are_the_codes_of_each_heads_attribute(table):
    criterion = make(table, settings())
    for name, classes in zip(("mask", "gender", "age"), head_targets(criterion.heads, table)):
        assert classes.dtype == torch.int64
        np.testing.assert_array_equal(classes.numpy(), table.labels[name].to_numpy())


def test_the_loss_is_the_sum_of_the_heads_losses_with_their_weights(table):
    own = {"age": {"loss_weight": 3, "loss": "label_smoothing"}, "gender": {"loss_weight": 0.5}}
    criterion = make(table, settings(loss="cross_entropy", class_weights="none", heads=own))
    logits, targets = batch(criterion, table)
    mask, gender, age = criterion.heads.split(logits)
    expected = F.cross_entropy(mask, targets[0]) + 0.5 * F.cross_entropy(gender, targets[1])
    expected = expected + 3 * F.cross_entropy(age, targets[2], label_smoothing=0.1)
    torch.testing.assert_close(criterion(logits, targets), expected)


def test_class_weights_are_of_each_heads_own_classes(table):
    criterion = make(table, settings(class_weights="inverse", class_weights_strength=1))
    for targets, loss in zip(head_targets(criterion.heads, table), criterion.losses):
        counts = np.bincount(targets.numpy())
        expected = class_weights("inverse", counts, counts / counts.sum(), 1.0)
        torch.testing.assert_close(loss.weight, expected)


def test_mixed_pictures_have_the_mixed_targets(table):
    criterion = make(table, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, table)
    partner = torch.arange(8).flip(0)
    expected = 0.7 * criterion(logits, targets) + 0.3 * criterion(logits, [classes[partner] for classes in targets])
    torch.testing.assert_close(criterion(logits, targets, partner, own=0.7), expected)
    torch.testing.assert_close(criterion(logits, targets, partner, own=1.0), criterion(logits, targets))


def test_an_attribute_without_a_head_is_an_error(table):
    with pytest.raises(InputError, match="no attribute 'agee'; nearest: age; expected mask, gender, age"):
        make(table, settings(heads={"agee": {"loss_weight": 2}}))
