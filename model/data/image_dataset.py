"""ImageDataset: decoded and transformed images of a channel, loaded in batches by threads. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.data.content_index import content_key
from model.data.image_locations import ImageLocations
from model.data.metadata import columns_of, require_columns
from model.data.table import Table
from model.errors import Failure, listing
from model.images.decode import UnreadableImage, image_source, read_content, read_source
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.runtime.workers import in_threads

Item = tuple[int, int]  # a row, and the number that seeds its random augmentation (the draw)
# A row, its inputs or the reason why it is unreadable, and the key of its content (0 if keys are not computed)
Sample = tuple[int, Inputs | str, int]


class Transform(Protocol):
    """Makes the inputs of a decoded image."""

    @property
    def channels(self) -> int:
        """Number of channels to decode images to: 3 for RGB, 1 for grey."""
        ...

    @property
    def draft(self) -> tuple[int, int]:
        """Minimum width and height at which a JPEG must be decoded."""
        ...

    @property
    def pixel_range(self) -> tuple[float, ...]:
        """Pixel values that become 0 and 255 in images of more than 8 bits per channel."""
        ...

    def __call__(self, image: Image.Image, draw: int, /) -> Inputs:
        """The inputs of one image, (views, ...). draw: seed of random augmentation."""
        ...


@dataclass
class Batch:
    """Some images of a dataset.

    Attributes:
        rows: int64 (N,), the readable images of the batch.
        inputs: Their inputs, (N, views, ...); None if no image of the batch is readable.
        unreadable: Reason by row for unreadable images.
        keys: uint64 (N,), keys of the images' contents (model.data.content_index); zeros if they are not computed.
    """

    rows: NDArray[np.int64]
    inputs: Inputs | None
    unreadable: dict[int, str]
    keys: NDArray[np.uint64] | None = None


class ImageDataset:
    """Reads and decodes images and applies a transform. For an unreadable image it returns the reason, not inputs.

    Args:
        root: Folder of the channel.
        locations: Location of each row's image.
        transform: Makes the inputs of each image.
        with_keys: Whether the key of each image's content is computed.
        arrays: Further inputs by name, (rows, ...) each, such as metadata.
    """

    def __init__(
        self,
        root: Path,
        locations: ImageLocations,
        transform: Transform,
        with_keys: bool = False,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ):
        self.root, self.locations, self.transform, self.with_keys = root, locations, transform, with_keys
        self.arrays = arrays or {}
        self.channels, self.draft, self.pixel_range = transform.channels, transform.draft, transform.pixel_range

    @classmethod
    def of_table(cls, table: Table, transform: Transform, pipeline: InputPipeline) -> ImageDataset:
        """The images of a table, with the metadata that a pipeline reads. InputError if the table lacks a column."""
        names = pipeline.metadata_columns
        require_columns(table.metadata, names, table.source)
        arrays = pipeline.arrays_by_row(columns_of(table.metadata, names), len(table))
        return cls(table.root, table.locations, transform, arrays=arrays)

    def __len__(self) -> int:
        return len(self.locations)

    def __getitem__(self, item: Item) -> Sample:
        row, draw = item
        try:
            content = read_content(image_source(self.root, self.locations[row]))
            image = read_source(content, self.channels, self.draft, self.pixel_range)
        except UnreadableImage as error:
            return row, str(error), 0
        key = content_key(content) if self.with_keys and isinstance(content, bytes) else 0
        inputs = self.transform(image, draw)
        return row, inputs.with_arrays({name: array[row] for name, array in self.arrays.items()}), key


def collate(samples: Sequence[Sample]) -> Batch:
    """Collects samples of an ImageDataset into one batch."""
    rows = [row for row, inputs, _ in samples if not isinstance(inputs, str)]
    readable = [inputs for _, inputs, _ in samples if not isinstance(inputs, str)]
    keys = np.array([key for _, inputs, key in samples if not isinstance(inputs, str)], dtype=np.uint64)
    unreadable = {row: reason for row, reason, _ in samples if isinstance(reason, str)}
    return Batch(np.array(rows, dtype=np.int64), Inputs.stack(readable) if readable else None, unreadable, keys)


def thread_batches(dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Batch]:
    """Loads batches in threads.

    Only for transforms that use no global random generator, such as those of prediction.

    Args:
        dataset: Images.
        items: The items of each batch; batches are returned in this order.
        workers: Number of threads, each of which reads whole batches; 0 reads in the calling thread.
    """

    def load(batch: list[Item]) -> Batch:
        return collate([dataset[item] for item in batch])

    return in_threads(load, items, workers, "loader")


def unreadable_images(dataset: ImageDataset, reasons: Mapping[int, str]) -> Failure:
    """The error to raise if images become unreadable after the integrity check. reasons: by row."""
    details = [f"{dataset.locations[row].path}: {reason}" for row, reason in reasons.items()]
    advice = "--check decode finds them before training"
    return Failure(f"unreadable images in {dataset.root}: {listing(details, 5)}; {advice}")


def in_order(rows: int, batch_size: int, draws: NDArray[np.int64] | None = None) -> Iterator[list[Item]]:
    """The items of rows 0 to rows - 1 in batches. draws: int64 (rows,), seeds of random views; default: the rows."""
    for first in range(0, rows, batch_size):
        numbers = range(first, min(first + batch_size, rows))
        yield [(row, row if draws is None else int(draws[row])) for row in numbers]
