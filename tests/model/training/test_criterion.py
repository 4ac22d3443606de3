"""The loss of all heads; the reference is the losses of the heads, called one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from model.attributes import MISSING
from model.data.channel import read_channel
from model.data.sampling import make_sampler
from model.data.table import Table
from model.errors import InputError, Problems
from model.labels import Scheme
from model.network.heads import make_heads
from model.network.number_bins import NumberBins
from model.settings import choices
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.class_weights import class_weights
from model.training.criterion import Criterion
from model.training.distributions import DistributionLoss
from model.training.losses import LOSSES, LossType
from model.training.targets import Targets


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def settings(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {"target": "heads", "sampler": "none", **values})])


def make(table: Table, settings: TrainSettings) -> Criterion:
    heads = make_heads(table.scheme, "heads", lambda head, classes: classes)
    return Criterion(settings, heads, table, make_sampler(settings, table))


def batch(criterion: Criterion, table: Table) -> tuple[torch.Tensor, Targets]:
    logits = torch.randn(8, criterion.heads.outputs, generator=torch.Generator().manual_seed(0))
    return logits, Targets.of(criterion.heads, table).take(torch.arange(8))


def test_the_loss_is_the_sum_of_the_heads_losses_with_their_weights(table):
    own = {"age": {"loss_weight": 3, "loss": "label_smoothing"}, "gender": {"loss_weight": 0.5}}
    criterion = make(table, settings(loss="cross_entropy", class_weights="none", heads=own))
    logits, targets = batch(criterion, table)
    mask, gender, age = criterion.heads.split(logits)
    expected = F.cross_entropy(mask, targets.classes[0]) + 0.5 * F.cross_entropy(gender, targets.classes[1])
    expected = expected + 3 * F.cross_entropy(age, targets.classes[2], label_smoothing=0.1)
    torch.testing.assert_close(criterion(logits, targets), expected)


def test_class_weights_are_computed_from_the_classes_of_each_head(table):
    criterion = make(table, settings(class_weights="inverse", class_weights_strength=1))
    for targets, loss in zip(Targets.of(criterion.heads, table).classes, criterion.losses):
        counts = np.bincount(targets.numpy())
        expected = class_weights("inverse", counts, counts / counts.sum(), 1.0)
        torch.testing.assert_close(loss.weight, expected)


def test_mixed_images_have_the_mixed_targets(table):
    criterion = make(table, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, table)
    partner = torch.arange(8).flip(0)
    expected = 0.7 * criterion(logits, targets) + 0.3 * criterion(logits, targets.take(partner))
    torch.testing.assert_close(criterion(logits, targets, partner, own=0.7), expected)
    torch.testing.assert_close(criterion(logits, targets, partner, own=1.0), criterion(logits, targets))


def test_arguments_of_the_loss_are_those_of_the_head(table):
    own = {"age": {"loss-args": {"gamma": 1}}, "gender": {"loss": "label_smoothing", "loss_args": {"smoothing": 0.3}}}
    criterion = make(table, settings(loss_args={"gamma": 3}, heads=own))
    assert [getattr(loss, "gamma", None) for loss in criterion.losses] == [3, None, 1]
    assert criterion.losses[1].smoothing == 0.3


def test_correcting_the_prior_twice_warns_once_for_equal_heads_and_not_for_heads_without_weights(table):
    twice = {"sampler": "imbalanced", "class_weights_strength": 1}
    assert len(make(table, settings(**twice)).warnings) == 1
    assert len(make(table, settings(**twice, heads={"age": {"class_weights": "effective"}})).warnings) == 2
    assert make(table, settings(**twice, loss="f1")).warnings == []
    assert make(table, settings(class_weights_strength=1)).warnings == []


def test_drawn_shares_are_those_of_the_sampler(table):
    criterion = make(table, settings(sampler="imbalanced", class_weights_strength=1))
    joint = np.zeros(table.scheme.num_classes)
    occurring = np.unique(table.classes())
    joint[occurring] = 1 / len(occurring)
    for name, loss in zip(table.scheme.names, criterion.losses):
        classes = table.scheme.split(np.arange(len(joint)))[name]
        shares = np.bincount(classes, joint)
        assert float((loss.weight * torch.tensor(shares)).sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"loss_args": {"gama": 1}}, "head gender: loss_args: loss focal has no argument 'gama'; nearest: gamma"),
        ({"class_weights": "given", "class_weight_values": [1, 2, 3]}, "head gender: class_weight_values has 3"),
    ],
)
def test_a_loss_that_cannot_be_made_is_named_by_its_head(table, own, message):
    with pytest.raises(InputError, match=message):
        make(table, settings(heads={"gender": own}))


@pytest.fixture
def gaps(table) -> Table:
    """Images of which some lack gender or age, and one lacks both."""
    attributes = tuple(replace(a, optional=a.name != "mask") for a in table.scheme.attributes)
    labels = table.labels.copy()
    labels.loc[labels.index % 3 == 0, "gender"] = MISSING
    labels.loc[labels.index % 4 == 0, "age"] = MISSING
    return replace(table, scheme=Scheme(attributes), labels=labels)


def test_a_head_is_trained_on_the_images_with_a_label(gaps):
    """Reference: torch's cross entropy over the rows with a label."""
    criterion = make(gaps, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, gaps)
    assert [(classes >= 0).tolist() for classes in targets.classes][1:] == [
        [False, True, True, False, True, True, False, True],
        [False, True, True, True, False, True, True, True],
    ]
    expected = sum(
        F.cross_entropy(part, classes, ignore_index=MISSING)
        for part, classes in zip(criterion.heads.split(logits), targets.classes)
    )
    torch.testing.assert_close(criterion(logits, targets), expected)
    mask, _, age = targets.classes
    none = replace(targets, classes=[mask, torch.full((8,), MISSING), age])
    logits.requires_grad_()
    loss = criterion(logits, none)
    expected = sum(
        F.cross_entropy(part, classes, ignore_index=MISSING)
        for part, classes in zip((criterion.heads.split(logits)[i] for i in (0, 2)), (mask, age))
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (criterion.heads.split(logits.grad)[1] == 0).all()


def test_mixed_images_count_if_both_have_a_label(gaps):
    criterion = make(gaps, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, gaps)
    partner = torch.arange(8).flip(0)
    expected = 0
    for part, classes in zip(criterion.heads.split(logits), targets.classes):
        both = (classes >= 0) & (classes[partner] >= 0)
        own, other = classes[both], classes[partner][both]
        expected += 0.75 * F.cross_entropy(part[both], own) + 0.25 * F.cross_entropy(part[both], other)
    torch.testing.assert_close(criterion(logits, targets, partner, 0.75), expected)


@pytest.mark.parametrize("sampler", ["none", "imbalanced"])
def test_class_weights_are_computed_from_the_images_with_a_label(gaps, sampler):
    own = settings(class_weights="inverse", class_weights_strength=1, sampler=sampler)
    criterion = make(gaps, own)
    classes = gaps.labels["age"][gaps.labels["age"] >= 0]
    counts = np.bincount(classes)
    drawn = make_sampler(own, gaps)
    strata = gaps.strata()
    chance = drawn.class_shares(len(strata))[strata.rows] / np.bincount(strata.rows)[strata.rows]
    shares = np.bincount(classes, chance[classes.index], 3)
    expected = class_weights("inverse", counts, shares / shares.sum(), 1.0)
    torch.testing.assert_close(criterion.losses[2].weight, expected)


def test_an_attribute_without_any_label_is_an_error(gaps):
    empty = replace(gaps, labels=gaps.labels.assign(age=MISSING))
    with pytest.raises(InputError, match="attribute age: no training image has a label"):
        make(empty, settings())


BINS = NumberBins((0.0, 15.0, 30.0, 45.0, 60.0, 90.0), (30.0, 60.0), 0.5, 4.0)


def with_bins(table: Table, settings: TrainSettings) -> Criterion:
    heads = make_heads(table.scheme, "heads", lambda head, classes: classes, bins={"age": BINS})
    return Criterion(settings, heads, table, make_sampler(settings, table))


def test_a_head_that_learns_a_distribution_has_its_loss_with_the_weights_of_the_bands(table):
    own = settings(loss="cross_entropy", class_weights="inverse", age_sigma=4, heads={"age": {"loss_weight": 2}})
    criterion, plain = with_bins(table, own), make(table, replace(own, age_sigma=0.0))
    logits, targets = batch(criterion, table)
    mask, gender, age = criterion.heads.split(logits)
    distribution = targets.distributions[2]
    assert distribution is not None
    expected = 2 * DistributionLoss(BINS, 1 / 4, plain.losses[2].weight)(age, distribution)
    expected += plain.losses[0](mask, targets.classes[0]) + plain.losses[1](gender, targets.classes[1])
    torch.testing.assert_close(criterion(logits, targets), expected)


def test_mixed_images_have_the_mixed_distributions(table):
    criterion = with_bins(table, settings(loss="cross_entropy", class_weights="none", age_sigma=4))
    logits, targets = batch(criterion, table)
    partner = torch.arange(8).flip(0)
    distribution = targets.distributions[2]
    assert distribution is not None
    mixed = 0.7 * distribution + 0.3 * distribution[partner]
    age = DistributionLoss(BINS, 1 / 4)(criterion.heads.split(logits)[2], mixed)
    expected = age
    for part, classes in list(zip(criterion.heads.split(logits), targets.classes))[:2]:
        expected = expected + 0.7 * F.cross_entropy(part, classes) + 0.3 * F.cross_entropy(part, classes[partner])
    torch.testing.assert_close(criterion(logits, targets, partner, own=0.7), expected)


def test_images_without_a_label_have_no_part_in_the_loss_of_a_distribution(gaps):
    criterion = with_bins(gaps, settings(loss="cross_entropy", class_weights="none", age_sigma=4))
    logits, targets = batch(criterion, gaps)
    present = targets.classes[2] >= 0
    assert 0 < present.sum() < 8
    distribution = targets.distributions[2]
    assert distribution is not None
    expected = DistributionLoss(BINS, 1 / 4)(criterion.heads.split(logits)[2][present], distribution[present])
    for part, classes in list(zip(criterion.heads.split(logits), targets.classes))[:2]:
        expected = expected + F.cross_entropy(part, classes, ignore_index=MISSING)
    torch.testing.assert_close(criterion(logits, targets), expected)


def test_the_weights_of_bands_and_a_sampler_that_correct_the_prior_twice_warn(table):
    twice = {"sampler": "imbalanced", "class_weights_strength": 1, "loss": "f1", "age_sigma": 4}
    (warning,) = with_bins(table, settings(**twice)).warnings
    assert "the class weights" in warning


def weighted(table: Table, weights: np.ndarray) -> Table:
    return replace(table, weights=weights)


def test_weights_of_images_multiply_their_losses_in_training_alone(table):
    weights = np.random.default_rng(0).random(len(table))
    own = weighted(table, weights)
    criterion = make(own, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, own)
    scaled = torch.tensor(weights / weights.mean(), dtype=torch.float32)[:8]
    parts = list(zip(criterion.heads.split(logits), targets.classes))
    expected = sum((F.cross_entropy(part, classes, reduction="none") * scaled).mean() for part, classes in parts)
    torch.testing.assert_close(criterion(logits, targets), expected)
    plain = sum(F.cross_entropy(part, classes) for part, classes in parts)
    torch.testing.assert_close(criterion.eval()(logits, targets), plain)


@pytest.mark.parametrize("loss", ["cross_entropy", "label_smoothing", "focal"])
def test_each_target_of_a_mixed_image_counts_by_the_weight_of_its_own_image(table, loss):
    weights = np.tile([2.0, 0.0, 1.0, 0.5], len(table) // 4)
    own = weighted(table, weights)
    criterion = make(own, settings(loss=loss, class_weights="none"))
    logits, targets = batch(criterion, own)
    partner = torch.tensor([2, 5, 0, 1, 7, 6, 4, 3])  # images 1 and 5 and their partners have weight 0
    each = torch.stack([criterion(logits[i : i + 1], targets.take(torch.tensor([i]))) for i in range(8)])
    others = torch.stack([criterion(logits[i : i + 1], targets.take(partner[i : i + 1])) for i in range(8)])
    expected = (0.7 * each + 0.3 * others).mean()
    torch.testing.assert_close(criterion(logits, targets, partner, own=0.7), expected)


def test_weights_follow_the_images_with_a_label(gaps):
    weights = np.random.default_rng(0).random(len(gaps))
    own = weighted(gaps, weights)
    criterion = make(own, settings(loss="cross_entropy", class_weights="none"))
    logits, targets = batch(criterion, own)
    scaled = torch.tensor(weights / weights.mean(), dtype=torch.float32)[:8]
    expected = 0
    for part, classes in zip(criterion.heads.split(logits), targets.classes):
        losses = F.cross_entropy(part, classes, reduction="none", ignore_index=MISSING)
        expected += (losses * scaled)[classes >= 0].mean()
    torch.testing.assert_close(criterion(logits, targets), expected)


def test_weights_of_0_alone_and_losses_without_weights_are_an_error(table, monkeypatch):
    with pytest.raises(InputError, match="weight_column: every training image has weight 0"):
        make(weighted(table, np.zeros(len(table))), settings())
    monkeypatch.setitem(LOSSES, "own", LossType(lambda context: torch.nn.CrossEntropyLoss()))
    monkeypatch.setitem(choices.LOSSES, "own", "one that is no Loss")
    criterion = make(table, settings(loss="own"))
    logits, targets = batch(criterion, table)
    assert criterion(logits, targets).isfinite()
    with pytest.raises(InputError, match="weight_column: loss own takes no weights of images"):
        make(weighted(table, np.ones(len(table))), settings(loss="own"))
