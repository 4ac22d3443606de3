"""Data loader: loads batches of an ImageDataset with torch's DataLoader and its worker processes."""

from __future__ import annotations

import functools
import logging
import math
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, get_worker_info

from model.data.image_dataset import Batch, ImageDataset, Item, Sample, collate
from model.images.inputs import Inputs
from model.runtime.workers import AHEAD

log = logging.getLogger("rarebird")

SHARED_MEMORY = "/dev/shm"
BATCHES_IN_SHARED_MEMORY = 4  # per worker; if less space is free, batches are sent through pipes


@dataclass
class TransportedBatch:
    """A batch that a worker process sends: tensors through shared memory, numpy arrays through the worker's pipe.

    Attributes:
        rows: As in Batch.
        tensors: The arrays of the inputs as tensors; None if they are piped or the batch has no readable image.
        piped: The arrays of the inputs if they are sent through the pipe, otherwise None.
        unreadable: As in Batch.
        keys: As in Batch.
    """

    rows: NDArray[np.int64]
    tensors: dict[str, torch.Tensor] | None
    piped: dict[str, NDArray[Any]] | None
    unreadable: dict[int, str]
    keys: NDArray[np.uint64] | None = None

    def pin_memory(self) -> TransportedBatch:
        """Copies the tensors to page-locked memory. Called by DataLoader."""
        self._receive()
        if self.tensors is not None:
            self.tensors = {name: tensor.pin_memory() for name, tensor in self.tensors.items()}
        return self

    def batch(self) -> Batch:
        """The batch, whose arrays share the memory of the tensors and keep it alive."""
        self._receive()
        inputs = None
        if self.tensors is not None:
            inputs = Inputs({name: tensor.numpy() for name, tensor in self.tensors.items()})
        return Batch(self.rows, inputs, self.unreadable, self.keys)

    def _receive(self) -> None:
        """Converts piped arrays to tensors."""
        if self.piped is not None:
            self.tensors = {name: torch.from_numpy(array) for name, array in self.piped.items()}
            self.piped = None
            warn_of_small_shared_memory()


def batches(
    dataset: ImageDataset, items: Iterable[list[Item]], workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """Loads batches in worker processes.

    Args:
        dataset: Images.
        items: The items of each batch; batches are returned in this order.
        workers: Number of worker processes, which are started immediately; 0 reads in this process.
        pin_memory: Whether to copy inputs to page-locked memory, for faster copies to a GPU.
    """
    loader: Iterable[TransportedBatch] = DataLoader(
        dataset,  # type: ignore[arg-type]  # only __getitem__ is used, with items of the batch sampler
        batch_sampler=_SinglePass(items),
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker if workers else None,
        prefetch_factor=AHEAD if workers else None,
    )
    loaded = iter(loader)  # starts the workers
    return (transported.batch() for transported in loaded)


def _collate(samples: list[Sample]) -> TransportedBatch:
    """Collects samples into a batch; in a worker process, chooses how it is sent."""
    batch = collate(samples)
    if batch.inputs is None:
        return TransportedBatch(batch.rows, None, None, batch.unreadable, batch.keys)
    worker = get_worker_info()
    # Other processes write to shared memory at the same time, so leave space for more batches of each worker
    if worker is not None and (
        shared_memory_left() < BATCHES_IN_SHARED_MEMORY * worker.num_workers * batch.inputs.nbytes
    ):
        return TransportedBatch(batch.rows, None, dict(batch.inputs.arrays), batch.unreadable, batch.keys)
    tensors = {name: torch.from_numpy(array) for name, array in batch.inputs.arrays.items()}
    return TransportedBatch(batch.rows, tensors, None, batch.unreadable, batch.keys)


def shared_memory_left() -> float:
    """Free bytes of /dev/shm, through which torch's workers send tensors; infinite if it does not exist.

    A process that writes beyond its end is killed (shm_overview(7)); in a docker container it has 64 MB by default.
    """
    try:
        stat = os.statvfs(SHARED_MEMORY)
    except OSError:
        return math.inf
    return stat.f_bavail * stat.f_frsize


@functools.cache
def warn_of_small_shared_memory() -> None:
    """Logs, once per process, that batches are sent through pipes."""
    log.warning(
        "%s is too small for the batches of all workers (%.0f MB free): the batches are sent through pipes, which is "
        "slower; docker run --shm-size 2g makes it larger",
        SHARED_MEMORY,
        shared_memory_left() / 1e6,
    )


class _SinglePass:
    """A batch sampler that is iterated once: DataLoader requires an iterable object, not an iterator."""

    def __init__(self, items: Iterable[list[Item]]):
        self.items = items

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.items)


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the job ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
