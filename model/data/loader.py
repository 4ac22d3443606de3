"""Pictures of a table to batches of pixels, read by worker processes."""

from __future__ import annotations

import functools
import logging
import math
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, get_worker_info

from model.errors import Failure, listing
from model.images.decode import UnreadablePicture, read_picture

log = logging.getLogger("rarebird")

SHARED_MEMORY = "/dev/shm"
SHARES = 4  # batches a worker, for which there must be room: other processes write there at the same time
Item = tuple[int, int]  # row of the table, draw: what seeds the random changes
Prepare = Callable[[Image.Image, int], torch.Tensor]


@dataclass
class Batch:
    """rows: int64 (N,) of the table, readable ones; pixels: uint8 (N, ...) as `prepare` made them, None where no
    picture of the batch could be read; unreadable: {row: reason}; piped: the pixels on their way from a worker where
    they could not be handed over in shared memory."""

    rows: np.ndarray
    pixels: torch.Tensor | None
    unreadable: dict[int, str]
    piped: np.ndarray | None = None

    def received(self) -> Batch:
        """With its pixels in place."""
        if self.piped is not None:
            self.pixels, self.piped = torch.from_numpy(self.piped), None
            tell_small_memory()
        return self

    def pin_memory(self) -> Batch:
        """Called by DataLoader."""
        self.received()
        if self.pixels is not None:
            self.pixels = self.pixels.pin_memory()
        return self


class ImageDataset(Dataset[tuple[int, torch.Tensor | str]]):
    """The pictures of a table's rows, each read and decoded once and handed to `prepare`; a reason instead of pixels
    where one cannot be read."""

    def __init__(self, root: Path, pictures: pd.DataFrame, channels: int, draft: tuple[int, int], prepare: Prepare):
        """pictures: columns path, shard, offset, size of a Table; draft: width and height that a JPEG must at least
        be decoded at."""
        self.root = root
        self.paths = pictures["path"].to_numpy(dtype=object)
        self.shards = pictures["shard"].to_numpy(dtype=object)
        self.offsets = pictures["offset"].to_numpy(dtype=np.int64)
        self.sizes = pictures["size"].to_numpy(dtype=np.int64)
        self.channels, self.draft, self.prepare = channels, draft, prepare

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: Item) -> tuple[int, torch.Tensor | str]:
        row, draw = item
        try:
            picture = read_picture(
                self.root,
                self.paths[row],
                self.shards[row],
                int(self.offsets[row]),
                int(self.sizes[row]),
                channels=self.channels,
                draft=self.draft,
            )
        except UnreadablePicture as error:
            return row, str(error)
        return row, self.prepare(picture, draw)


def collate(items: list[tuple[int, torch.Tensor | str]]) -> Batch:
    """One batch of what ImageDataset gave."""
    rows = [row for row, given in items if not isinstance(given, str)]
    pixels = [given for _, given in items if not isinstance(given, str)]
    unreadable = {row: given for row, given in items if isinstance(given, str)}
    batch = Batch(np.array(rows, dtype=np.int64), torch.stack(pixels) if pixels else None, unreadable)
    worker = get_worker_info()
    if worker is None or batch.pixels is None:
        return batch
    if shared_memory_left() < SHARES * worker.num_workers * batch.pixels.nbytes:
        batch.piped, batch.pixels = batch.pixels.numpy(), None
    return batch


def shared_memory_left() -> float:
    """Bytes of /dev/shm, through which torch's workers hand tensors over, and where a write beyond its end kills
    (shm_overview(7)): docker gives a container 64 MB."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return math.inf
    return found.f_bavail * found.f_frsize


@functools.cache
def tell_small_memory() -> None:
    """Once a process."""
    log.warning(
        "%s is too small for the batches of all workers (%.0f MB are left): they go through pipes, which is slower; "
        "docker run --shm-size 2g gives more",
        SHARED_MEMORY,
        shared_memory_left() / 1e6,
    )


def batches(
    pictures: ImageDataset, items: Iterable[list[Item]], workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """The batches that items lists, in its order."""
    loader: Iterable[Batch] = DataLoader(
        pictures,
        batch_sampler=_Once(items),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker if workers else None,
        prefetch_factor=4 if workers else None,
    )
    loaded = iter(loader)  # the workers begin now
    return (batch.received() for batch in loaded)


class _Once:
    """A batch sampler that is iterated once; DataLoader wants an object, not an iterator."""

    def __init__(self, items: Iterable[list[Item]]):
        self.items = items

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.items)


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the job itself ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def unreadable_pictures(pictures: ImageDataset, reasons: Mapping[int, str]) -> Failure:
    """What to raise where pictures that were found good at the start cannot be read any more. reasons: by row."""
    places = [f"{pictures.paths[row]}: {reason}" for row, reason in reasons.items()]
    return Failure(f"pictures in {pictures.root} cannot be read: {listing(places, 5)}; --check decode finds them first")


def in_order(rows: int, batch_size: int) -> Iterator[list[Item]]:
    """Items of rows 0 ... rows - 1 in batches."""
    for first in range(0, rows, batch_size):
        yield [(row, row) for row in range(first, min(first + batch_size, rows))]
