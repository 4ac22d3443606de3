"""Samplers: which images an epoch reads and in what order. EpochSampler: that order in batches, divided among
processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torchsampler import ImbalancedDatasetSampler

from model.data.table import Table
from model.errors import InputError, did_you_mean, listing
from model.runtime.seeding import mixed_seed
from model.settings.train import TrainSettings


class Sampler(Protocol):
    """Draws the rows of each epoch: the same in every process, a function of seed and epoch only."""

    @property
    def corrects(self) -> float:
        """Share of the class prior that the sampler corrects: 0 draws classes as they come, 1 all equally often."""

    def __len__(self) -> int:
        """Rows of an epoch."""

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, int64 (len(self),)."""

    def class_shares(self, num_classes: int) -> NDArray[np.float64]:
        """The distribution over the strata of the table (its joint classes, where no label is missing) that rows are
        drawn from, float64 (num_classes,), sum 1."""


class ClassSampler:
    """Draws as many rows as there are, each with a chance of 1 / (images of its class) to a power.

    Args:
        classes: int (n,), the class of each row.
        power: 1 is torchsampler's ImbalancedDatasetSampler, 0.5 its square root; 0 draws every row once.
        seed: Seed of the run.
    """

    def __init__(self, classes: NDArray[Any], power: float, seed: int) -> None:
        self.classes, self.corrects, self.seed = classes, power, seed
        self.weighted: ImbalancedDatasetSampler | None = None
        if power > 0:
            # Labels are passed in: torchsampler's own look-up of them fails on subsets.
            self.weighted = ImbalancedDatasetSampler(classes, labels=list(classes))
            self.weighted.weights **= power

    def __len__(self) -> int:
        return len(self.classes)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, int64 (n,)."""
        seed = mixed_seed(self.seed, epoch)
        if self.weighted is None:
            return np.random.default_rng(seed).permutation(len(self))
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed the GPUs' generators too, which fork_rng does not restore here.
            torch.default_generator.manual_seed(seed)
            return np.fromiter(self.weighted, np.int64, count=len(self.weighted))

    def class_shares(self, num_classes: int) -> NDArray[np.float64]:
        """In proportion to images of the class to the power 1 - power."""
        counts = np.bincount(self.classes, minlength=num_classes).astype(np.float64)
        drawn = np.where(counts > 0, counts ** (1 - self.corrects), 0)
        return drawn / drawn.sum()


def _class_sampler(power: float) -> Callable[[TrainSettings, Table], Sampler]:
    """Makes a ClassSampler of this power, or of `sampler_strength` if that is set."""

    def make(settings: TrainSettings, table: Table) -> Sampler:
        strength = settings.sampler_strength
        return ClassSampler(table.strata().rows, power if strength is None else strength, settings.seed)

    return make


# By the names of the setting `sampler`, which are those of model.settings.choices.SAMPLERS
SAMPLERS: dict[str, Callable[[TrainSettings, Table], Sampler]] = {
    "imbalanced": _class_sampler(1.0),
    "sqrt": _class_sampler(0.5),
    "none": _class_sampler(0.0),
}


def make_sampler(settings: TrainSettings, table: Table) -> Sampler:
    """The sampler that the setting `sampler` names. InputError if there is none of the name, or the table has no
    rows."""
    if not len(table):
        raise InputError("there is no image to learn from")
    if settings.sampler not in SAMPLERS:
        close = did_you_mean(settings.sampler, SAMPLERS)
        raise InputError(f"sampler {settings.sampler!r} is none of {listing(SAMPLERS)}{close}")
    return SAMPLERS[settings.sampler](settings, table)


class EpochSampler:
    """The batches of every epoch, divided among processes.

    The last incomplete batch is dropped (a single image breaks batch norm), unless it is the only one.

    Args:
        sampler: Gives the order of the rows.
        batch_size: Rows of a batch over all processes.
        rank: Number of this process.
        world: Number of processes.

    Raises:
        InputError: batch_size does not divide among the processes.
    """

    def __init__(self, sampler: Sampler, batch_size: int, rank: int = 0, world: int = 1) -> None:
        if batch_size % world:
            raise InputError(f"batch_size {batch_size} does not divide among {world} processes")
        self.sampler = sampler
        self.rows = len(sampler)
        self.batch_size = batch_size
        self.rank = rank
        self.world = world
        self.steps = max(1, self.rows // batch_size)
        self.pictures_per_step = min(batch_size, self.rows)

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """Yields this process's part of each batch of an epoch, as (row, draw) pairs.

        draw seeds the random changes of an image. It is unique in the run and independent of the number of processes.
        The parts of all processes, one after the other, are the batch of a single process.

        Args:
            epoch: Number of the epoch.
            first: Step to begin at.
        """
        order = self.sampler.order(epoch)
        if self.rows < self.batch_size:
            # The only batch is filled up with its first rows, so that it divides among the processes.
            order = np.resize(order, -(-self.rows // self.world) * self.world)
        first_draw = epoch * self.steps * self.batch_size
        size = min(self.batch_size, len(order))
        part = size // self.world
        for step in range(first, self.steps):
            start = step * size + self.rank * part
            yield [(row, first_draw + start + i) for i, row in enumerate(order[start : start + part].tolist())]
