from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torchsampler import ImbalancedDatasetSampler

from model.attributes import Attribute
from model.data.image_locations import ImageLocation, ImageLocations
from model.data.sampling import SAMPLERS, ClassSampler, EpochSampler, make_sampler
from model.data.table import Table
from model.errors import InputError
from model.labels import Scheme
from model.runtime.seeding import mixed_seed
from model.settings import choices
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

CLASSES = np.repeat([0, 1, 3], [700, 250, 50])  # class 2 has no image


def epochs(
    classes: np.ndarray, power: float, batch_size: int, seed: int, rank: int = 0, world: int = 1
) -> EpochSampler:
    return EpochSampler(ClassSampler(classes, power, seed), batch_size, rank, world)


def table(classes: np.ndarray) -> Table:
    """A table with only classes, 0 to 3."""
    scheme = Scheme((Attribute("label", ("a", "b", "c", "d")),))
    locations = ImageLocations(ImageLocation(f"{row}.jpg") for row in range(len(classes)))
    groups, labels = np.array(locations.paths, dtype=object), pd.DataFrame({"label": classes})
    return Table(Path(), scheme, locations, groups, "", labels, pd.DataFrame(), pd.DataFrame(), "")


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_classes_are_drawn_as_expected(power: float) -> None:
    sampler = ClassSampler(CLASSES, power, seed=1)
    drawn = np.concatenate([sampler.order(epoch) for epoch in range(60)])
    expected = sampler.class_shares(4)
    assert expected.sum() == pytest.approx(1) and expected[2] == 0
    deviation = np.sqrt(expected * (1 - expected) / len(drawn))
    assert (np.abs(np.bincount(CLASSES[drawn], minlength=4) / len(drawn) - expected) <= 4 * deviation).all()


def test_expected_shares_by_hand() -> None:
    classes = np.repeat([0, 1], [900, 100])
    assert ClassSampler(classes, 0, 0).class_shares(2) == pytest.approx([0.9, 0.1])
    assert ClassSampler(classes, 0.5, 0).class_shares(3) == pytest.approx([0.75, 0.25, 0])
    assert ClassSampler(classes, 1, 0).class_shares(2) == pytest.approx([0.5, 0.5])


def test_power_1_is_torchsampler() -> None:
    sampler = ClassSampler(CLASSES, 1.0, seed=5)
    for epoch in range(3):
        torch.manual_seed(mixed_seed(5, epoch))
        theirs = [int(row) for row in ImbalancedDatasetSampler(CLASSES, labels=CLASSES.tolist())]
        assert sampler.order(epoch).tolist() == theirs


def test_power_0_draws_every_row_once() -> None:
    sampler = ClassSampler(CLASSES, 0.0, seed=5)
    assert sorted(sampler.order(0)) == list(range(len(CLASSES)))
    assert sampler.order(0).tolist() != sorted(sampler.order(0))


def test_a_subset_is_sampled_by_its_own_labels() -> None:
    """Rows are positions in the given classes, even if these are a subset of a table."""
    subset = CLASSES[np.arange(690, 960)]  # 10 of class 0, 250 of class 1, 10 of class 3
    drawn = np.concatenate([ClassSampler(subset, 1.0, seed=0).order(epoch) for epoch in range(20)])
    assert drawn.min() >= 0 and drawn.max() < len(subset)
    assert np.bincount(subset[drawn], minlength=4) / len(drawn) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=0.03)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_order_depends_on_seed_and_epoch_only(power: float) -> None:
    sampler = ClassSampler(CLASSES, power, seed=7)
    first = sampler.order(4).tolist()
    sampler.order(5)
    torch.rand(3)
    np.random.rand(3)
    assert sampler.order(4).tolist() == first == ClassSampler(CLASSES, power, seed=7).order(4).tolist()
    assert first != sampler.order(3).tolist()
    assert first != ClassSampler(CLASSES, power, seed=8).order(4).tolist()
    # neither (seed + 1, epoch) nor (epoch, seed) is the same draw
    assert sampler.order(3).tolist() != ClassSampler(CLASSES, power, seed=6).order(4).tolist()
    assert first != ClassSampler(CLASSES, power, seed=4).order(7).tolist()


def test_drawing_does_not_change_global_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("the GPUs' generators were seeded"))
    before = torch.get_rng_state(), repr(np.random.get_state(legacy=False))
    list(epochs(CLASSES, 1.0, 64, seed=7).batches(0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert repr(np.random.get_state(legacy=False)) == before[1]


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("rows", [1000, 48, 47, 12, 5, 2])
def test_the_parts_of_all_processes_are_the_batches_of_a_single_one(power: float, world: int, rows: int) -> None:
    classes = CLASSES[:: len(CLASSES) // rows][:rows]
    alone = epochs(classes, power, 48, seed=3)
    parts = [epochs(classes, power, 48, seed=3, rank=rank, world=world) for rank in range(world)]
    assert {part.steps for part in parts} == {alone.steps}
    batches = list(zip(alone.batches(2), *(part.batches(2) for part in parts), strict=True))
    assert len(batches) == alone.steps
    for whole, *cut in batches:
        assert len({len(part) for part in cut}) == 1
        union = [pair for part in cut for pair in part]
        assert union[: len(whole)] == whole
        padding = union[len(whole) :]
        assert len(padding) < world
        assert [row for row, _ in padding] == [whole[i % len(whole)][0] for i in range(len(padding))]
        if rows >= 48:
            assert not padding


def test_the_last_incomplete_batch_is_dropped_unless_it_is_the_only_one() -> None:
    sampler = epochs(np.zeros(21, int), 0.0, 10, seed=0)
    assert sampler.steps == 2
    batches = list(sampler.batches(0))
    assert [len(batch) for batch in batches] == [10, 10]
    assert [row for batch in batches for row, _ in batch] == sampler.sampler.order(0)[:20].tolist()
    small = epochs(np.zeros(7, int), 0.0, 10, seed=0)
    assert small.steps == 1
    assert [sorted(row for row, _ in batch) for batch in small.batches(0)] == [list(range(7))]


@pytest.mark.parametrize("rows, world", [(1000, 1), (1000, 2), (7, 5), (3, 5)])
def test_draws_are_unique_in_a_run(rows: int, world: int) -> None:
    ranks = [epochs(np.zeros(rows, int), 1.0, 10, seed=0, rank=rank, world=world) for rank in range(world)]
    draws = [draw for rank in ranks for epoch in range(4) for batch in rank.batches(epoch) for _, draw in batch]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("first", [0, 1, 9, 15])
def test_resuming_inside_an_epoch_skips_batches(first: int) -> None:
    sampler = epochs(CLASSES, 0.5, 64, seed=3, rank=1, world=2)
    assert sampler.steps == 15
    assert list(sampler.batches(6, first)) == list(sampler.batches(6))[first:]


def test_empty_tables_and_indivisible_batches_are_errors() -> None:
    with pytest.raises(InputError, match="batch_size 10 must be a multiple of the number of processes, 3"):
        epochs(CLASSES, 0.0, 10, seed=0, world=3)
    for sampler in SAMPLERS:
        with pytest.raises(InputError, match="no image"):
            make_sampler(TrainSettings(sampler=sampler), table(np.array([], int)))


@pytest.mark.parametrize(
    ("sampler", "strength", "corrects"),
    [
        ("imbalanced", None, 1.0),
        ("sqrt", None, 0.5),
        ("none", None, 0.0),
        ("sqrt", 0.3, 0.3),
        ("imbalanced", 0.0, 0.0),
    ],
)
def test_settings_choose_a_sampler_and_its_strength(sampler: str, strength: float | None, corrects: float) -> None:
    chosen = make_sampler(TrainSettings(sampler=sampler, sampler_strength=strength, seed=5), table(CLASSES))
    assert chosen.corrects == corrects
    assert chosen.order(2).tolist() == ClassSampler(CLASSES, corrects, 5).order(2).tolist()


def test_every_sampler_is_a_choice_of_the_setting() -> None:
    assert choices.SAMPLERS.keys() == SAMPLERS.keys()


class FirstRows:
    """A simple sampler: the first rows in order."""

    corrects = 0.25

    def __init__(self, settings: TrainSettings, table: Table) -> None:
        self.classes = table.classes()[:30]

    def __len__(self) -> int:
        return len(self.classes)

    def order(self, epoch: int) -> np.ndarray:
        return np.arange(30)

    def class_shares(self, num_classes: int) -> np.ndarray:
        return np.bincount(self.classes, minlength=num_classes) / 30


def test_an_added_sampler_defines_its_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="expected one of imbalanced"):
        build(TrainSettings, [Layer("{}", {"sampler": "first"})])
    monkeypatch.setitem(SAMPLERS, "first", FirstRows)
    monkeypatch.setitem(choices.SAMPLERS, "first", "a toy")
    chosen = make_sampler(build(TrainSettings, [Layer("{}", {"sampler": "first"})]), table(CLASSES))
    sampler = EpochSampler(chosen, 10)
    assert sampler.steps == 3
    assert [row for batch in sampler.batches(1) for row, _ in batch] == list(range(30))


def test_an_unknown_sampler_is_an_error_with_the_nearest_name() -> None:
    """For settings that a script creates without model.settings.fields.build."""
    with pytest.raises(
        InputError, match="unknown sampler 'sqr', expected one of imbalanced, sqrt, none; nearest: sqrt"
    ):
        make_sampler(TrainSettings(sampler="sqr"), table(CLASSES))
