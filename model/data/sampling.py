"""EpochSampler: which images an epoch reads and in what order, in batches and divided among processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchsampler import ImbalancedDatasetSampler

from model.errors import InputError
from model.runtime.seeding import mixed_seed


class EpochSampler:
    """The order of the rows in every epoch: the same in every process, a function of seed and epoch only.

    An epoch draws n rows. The last incomplete batch is dropped (a single image breaks batch norm), unless it is the
    only one.

    Args:
        classes: int (n,), the class of each row.
        power: The chance of a row is 1 / (images of its class) to this power: 1 is torchsampler's
            ImbalancedDatasetSampler, 0.5 its square root; 0 draws every row once.
        batch_size: Rows of a batch over all processes.
        seed: Seed of the run.
        rank: Number of this process.
        world: Number of processes.

    Raises:
        InputError: There are no rows, or batch_size does not divide among the processes.
    """

    def __init__(
        self, classes: NDArray[Any], power: float, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        if not len(classes):
            raise InputError("there is no picture to learn from")
        if batch_size % world:
            raise InputError(f"batch_size {batch_size} does not divide among {world} processes")
        self.rows = len(classes)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.steps = max(1, self.rows // batch_size)
        self.pictures_per_step = min(batch_size, self.rows)
        self.sampler: ImbalancedDatasetSampler | None = None
        if power > 0:
            # Labels are passed in: torchsampler's own look-up of them fails on subsets.
            self.sampler = ImbalancedDatasetSampler(classes, labels=list(classes))
            self.sampler.weights **= power

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, int64 (n,), those of an incomplete last batch included."""
        seed = mixed_seed(self.seed, epoch)
        if self.sampler is None:
            return np.random.default_rng(seed).permutation(self.rows)
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed the GPUs' generators too, which fork_rng does not restore here.
            torch.default_generator.manual_seed(seed)
            return np.fromiter(self.sampler, np.int64, count=len(self.sampler))

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """Yields this process's part of each batch of an epoch, as (row, draw) pairs.

        draw seeds the random changes of an image. It is unique in the run and independent of the number of processes.
        The parts of all processes, one after the other, are the batch of a single process.

        Args:
            epoch: Number of the epoch.
            first: Step to begin at.
        """
        order = self.order(epoch)
        if self.rows < self.batch_size:
            # The only batch is filled up with its first rows, so that it divides among the processes.
            order = np.resize(order, -(-self.rows // self.world) * self.world)
        first_draw = epoch * self.steps * self.batch_size
        size = min(self.batch_size, len(order))
        part = size // self.world
        for step in range(first, self.steps):
            start = step * size + self.rank * part
            yield [(row, first_draw + start + i) for i, row in enumerate(order[start : start + part].tolist())]


def expected_class_shares(classes: NDArray[Any], power: float, num_classes: int) -> NDArray[np.float64]:
    """The distribution over classes that an EpochSampler draws from, float64 (num_classes,), sum 1.

    classes: int (n,); power: that of the sampler.
    """
    counts = np.bincount(classes, minlength=num_classes).astype(np.float64)
    drawn = np.where(counts > 0, counts ** (1 - power), 0)
    return drawn / drawn.sum()
