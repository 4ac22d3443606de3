"""Which picture is learnt from when: the order of an epoch, cut into batches and into each process's part of them."""

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
    """The rows of every epoch in order, the same in every process, a pure function of seed and epoch.

    classes: (n,) integers, the class of each row that may be drawn. power: a row's chance is 1 / (pictures of its
    class) to this power: 1 is torchsampler's ImbalancedDatasetSampler, 0.5 its square root; 0 deals every row once.
    An epoch draws n rows. batch_size counts rows over all `world` processes, of which this one is `rank`.

    InputError where there are no rows, or batch_size does not divide among the processes.
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
        # The last incomplete batch is dropped (one picture alone breaks batch norm), unless it is the only one.
        self.steps = max(1, self.rows // batch_size)
        self.pictures_per_step = min(batch_size, self.rows)
        self.sampler: ImbalancedDatasetSampler | None = None
        if power > 0:
            # Labels are given: torchsampler's own look-up of them breaks on subsets.
            self.sampler = ImbalancedDatasetSampler(classes, labels=list(classes))
            self.sampler.weights **= power

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, (n,) int64, those of an incomplete last batch included."""
        seed = mixed_seed(self.seed, epoch)
        if self.sampler is None:
            return np.random.default_rng(seed).permutation(self.rows)
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would seed the GPUs' generators too, which fork_rng here does not put back.
            torch.default_generator.manual_seed(seed)
            return np.fromiter(self.sampler, np.int64, count=len(self.sampler))

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """This process's part of each batch of an epoch from step `first` on, as (row, draw).

        draw is unique over the run and independent of the number of processes: what is random about a picture is
        seeded by it. The processes' parts, one after the other, are the batch of a single process. An only batch
        with fewer rows than batch_size begins again with its first rows where it does not divide among processes.
        """
        order = self.order(epoch)
        if self.rows < self.batch_size:
            order = np.resize(order, -(-self.rows // self.world) * self.world)
        draws = epoch * self.steps * self.batch_size
        size = min(self.batch_size, len(order))
        part = size // self.world
        for step in range(first, self.steps):
            start = step * size + self.rank * part
            yield [(row, draws + start + i) for i, row in enumerate(order[start : start + part].tolist())]


def expected_class_shares(classes: NDArray[Any], power: float, num_classes: int) -> NDArray[np.float64]:
    """The distribution over classes that an EpochSampler with this power draws from, (num_classes,), sum 1."""
    counts = np.bincount(classes, minlength=num_classes).astype(np.float64)
    drawn = np.where(counts > 0, counts ** (1 - power), 0)
    return drawn / drawn.sum()
