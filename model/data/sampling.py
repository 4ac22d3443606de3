"""Samplers choose the images of an epoch and their order; EpochSampler divides them into batches and processes."""

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
    """Draws the rows of each epoch. They depend only on seed and epoch, and are the same in every process."""

    @property
    def corrects(self) -> float:
        """How far the sampler balances the classes: 0 draws them as often as they occur, 1 draws all equally often."""

    def __len__(self) -> int:
        """Number of rows per epoch."""

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, int64 (len(self),)."""

    def class_shares(self, num_classes: int) -> NDArray[np.float64]:
        """The probability with which each stratum of the table is drawn, float64 (num_classes,), sum 1.

        The strata are the joint classes if no label is missing.
        """


class ClassSampler:
    """Draws n of n rows, each with a probability in proportion to (1 / images of its class) ** power.

    Args:
        classes: int (n,), the class of each row.
        power: 1 is torchsampler's ImbalancedDatasetSampler, 0.5 its square root; 0 draws every row once.
        seed: Seed of the run.
    """

    def __init__(self, classes: NDArray[Any], power: float, seed: int) -> None:
        self.classes, self.corrects, self.seed = classes, power, seed
        self.weighted: ImbalancedDatasetSampler | None = None
        if power > 0:
            # Pass the labels: torchsampler's own lookup of labels fails for subsets
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
            # torch.manual_seed would also seed the generators of GPUs, which fork_rng does not restore here
            torch.default_generator.manual_seed(seed)
            return np.fromiter(self.weighted, np.int64, count=len(self.weighted))

    def class_shares(self, num_classes: int) -> NDArray[np.float64]:
        """In proportion to (images of the class) ** (1 - power)."""
        counts = np.bincount(self.classes, minlength=num_classes).astype(np.float64)
        drawn = np.where(counts > 0, counts ** (1 - self.corrects), 0)
        return drawn / drawn.sum()


def _class_sampler(power: float) -> Callable[[TrainSettings, Table], Sampler]:
    """Returns a function that makes a ClassSampler of this power, or of `sampler_strength` if that is set."""

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
    """Makes the sampler of the setting `sampler`.

    Args:
        settings: Sampler, its strength, and the seed.
        table: The training images.

    Raises:
        InputError: The sampler is unknown or the table has no rows.
    """
    if not len(table):
        raise InputError("there are no images to train on")
    if settings.sampler not in SAMPLERS:
        close = did_you_mean(settings.sampler, SAMPLERS)
        raise InputError(f"unknown sampler {settings.sampler!r}, expected one of {listing(SAMPLERS)}{close}")
    return SAMPLERS[settings.sampler](settings, table)


class EpochSampler:
    """The batches of every epoch, divided among processes.

    An incomplete last batch is dropped, unless it is the only one: batch norm fails for a single image.

    Args:
        sampler: Returns the order of the rows.
        batch_size: Rows per batch, all processes together.
        rank: Number of this process.
        world: Number of processes.

    Raises:
        InputError: batch_size is not a multiple of the number of processes.
    """

    def __init__(self, sampler: Sampler, batch_size: int, rank: int = 0, world: int = 1) -> None:
        if batch_size % world:
            raise InputError(f"batch_size {batch_size} must be a multiple of the number of processes, {world}")
        self.sampler = sampler
        self.rows = len(sampler)
        self.batch_size = batch_size
        self.rank = rank
        self.world = world
        self.steps = max(1, self.rows // batch_size)
        self.pictures_per_step = min(batch_size, self.rows)

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """Yields this process's part of each batch of an epoch, as (row, draw) pairs.

        draw seeds the random augmentation of an image. It is unique in the run and does not depend on the number of
        processes. The parts of all processes, concatenated, are the batch of a single process.

        Args:
            epoch: Number of the epoch.
            first: First step to yield, when resuming.
        """
        order = self.sampler.order(epoch)
        if self.rows < self.batch_size:
            # Repeat the first rows of the only batch until all processes get equally many
            order = np.resize(order, -(-self.rows // self.world) * self.world)
        first_draw = epoch * self.steps * self.batch_size
        size = min(self.batch_size, len(order))
        part = size // self.world
        for step in range(first, self.steps):
            start = step * size + self.rank * part
            yield [(row, first_draw + start + i) for i, row in enumerate(order[start : start + part].tolist())]
