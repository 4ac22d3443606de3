"""Data loader: ImageDataset reads and decodes the images of a channel, `batches` collects them by worker processes."""

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
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, get_worker_info

from model.data.image_locations import ImageLocations
from model.errors import Failure, listing
from model.images.decode import UnreadableImage, read_image

log = logging.getLogger("rarebird")

SHARED_MEMORY = "/dev/shm"
BATCHES_IN_SHARED_MEMORY = 4  # per worker: with less space than that left, batches take the pipe
PREFETCHED = 4  # batches per worker

Item = tuple[int, int]  # a row, and the draw that seeds its random changes
Transform = Callable[[Image.Image, int], torch.Tensor]  # (image, draw) -> pixels
Sample = tuple[int, torch.Tensor | str]  # a row, and its pixels or the reason why it cannot be read


@dataclass
class Batch:
    """Some images of a dataset.

    Attributes:
        rows: int64 (N,), the readable images of the batch.
        pixels: uint8 (N, ...) as the transform returns them; None where no image of the batch can be read.
        unreadable: Reason by row for the images that cannot be read.
        piped: The pixels, where a worker sends them through its pipe instead of shared memory.
    """

    rows: np.ndarray
    pixels: torch.Tensor | None
    unreadable: dict[int, str]
    piped: np.ndarray | None = None

    def received(self) -> Batch:
        """This batch with the piped pixels, if any, in `pixels`."""
        if self.piped is not None:
            self.pixels, self.piped = torch.from_numpy(self.piped), None
            warn_of_small_shared_memory()
        return self

    def pin_memory(self) -> Batch:
        """Called by DataLoader."""
        self.received()
        if self.pixels is not None:
            self.pixels = self.pixels.pin_memory()
        return self


class ImageDataset(Dataset[Sample]):
    """Reads and decodes images and applies a transform; an unreadable image gives its reason instead of pixels.

    Args:
        root: Folder of the channel.
        locations: Where each row's image lies.
        channels: 3 for RGB, 1 for grey.
        draft: Width and height that a JPEG must at least be decoded at.
        transform: Called with each image and its draw.
    """

    def __init__(
        self, root: Path, locations: ImageLocations, channels: int, draft: tuple[int, int], transform: Transform
    ):
        self.root, self.locations = root, locations
        self.channels, self.draft, self.transform = channels, draft, transform

    def __len__(self) -> int:
        return len(self.locations)

    def __getitem__(self, item: Item) -> Sample:
        row, draw = item
        try:
            image = read_image(self.root, self.locations[row], self.channels, self.draft)
        except UnreadableImage as error:
            return row, str(error)
        return row, self.transform(image, draw)


def collate(samples: list[Sample]) -> Batch:
    """Collects samples of an ImageDataset into one batch."""
    rows = [row for row, pixels in samples if not isinstance(pixels, str)]
    readable = [pixels for _, pixels in samples if not isinstance(pixels, str)]
    unreadable = {row: reason for row, reason in samples if isinstance(reason, str)}
    batch = Batch(np.array(rows, dtype=np.int64), torch.stack(readable) if readable else None, unreadable)
    worker = get_worker_info()
    if worker is None or batch.pixels is None:
        return batch
    # Other processes write to shared memory at the same time, so leave space for several batches of each worker.
    if shared_memory_left() < BATCHES_IN_SHARED_MEMORY * worker.num_workers * batch.pixels.nbytes:
        batch.piped, batch.pixels = batch.pixels.numpy(), None
    return batch


def shared_memory_left() -> float:
    """Free bytes of /dev/shm, which torch's workers send tensors through; infinite where there is none.

    A process that writes beyond its end is killed (shm_overview(7)), and docker gives a container 64 MB.
    """
    try:
        stat = os.statvfs(SHARED_MEMORY)
    except OSError:
        return math.inf
    return stat.f_bavail * stat.f_frsize


@functools.cache
def warn_of_small_shared_memory() -> None:
    """Logs a warning, once per process."""
    log.warning(
        "%s is too small for the batches of all workers (%.0f MB are left): they go through pipes, which is slower; "
        "docker run --shm-size 2g gives more",
        SHARED_MEMORY,
        shared_memory_left() / 1e6,
    )


def batches(
    dataset: ImageDataset, items: Iterable[list[Item]], workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """Loads batches.

    Args:
        dataset: Images.
        items: The items of each batch; the batches come back in this order.
        workers: Number of worker processes, which start at once; 0 reads in this process.
        pin_memory: Whether pixels are put into page-locked memory, for faster copies to a GPU.
    """
    loader: Iterable[Batch] = DataLoader(
        dataset,
        batch_sampler=_SinglePass(items),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker if workers else None,
        prefetch_factor=PREFETCHED if workers else None,
    )
    loaded = iter(loader)  # starts the workers
    return (batch.received() for batch in loaded)


class _SinglePass:
    """A batch sampler that is iterated once; DataLoader asks for an object, not an iterator."""

    def __init__(self, items: Iterable[list[Item]]):
        self.items = items

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.items)


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the job ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def unreadable_images(dataset: ImageDataset, reasons: Mapping[int, str]) -> Failure:
    """The error to raise where images that the integrity check could read cannot be read later. reasons: by row."""
    details = [f"{dataset.locations[row].path}: {reason}" for row, reason in reasons.items()]
    return Failure(f"pictures in {dataset.root} cannot be read: {listing(details, 5)}; --check decode finds them first")


def in_order(rows: int, batch_size: int) -> Iterator[list[Item]]:
    """The items of rows 0 ... rows - 1 in batches."""
    for first in range(0, rows, batch_size):
        yield [(row, row) for row in range(first, min(first + batch_size, rows))]
