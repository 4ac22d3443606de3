"""A pass over images: reads each one and computes something from its content, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.data.content_index import content_key
from model.data.table import Table
from model.images.decode import UnreadableImage, image_source, read_content
from model.runtime.workers import CHUNK, in_threads, worker_count

T = TypeVar("T")


def read_images(
    table: Table, rows: NDArray[np.int64], compute: Callable[[bytes], T], workers: int, name: str
) -> Iterator[tuple[int, T] | None]:
    """The content key and the result of each row, in order; None if the image is unreadable.

    Args:
        table: The images.
        rows: Rows of the images to read.
        compute: Computes the result from the content of the file, or raises UnreadableImage.
        workers: Number of threads; -1: one per core.
        name: Prefix of the threads' names.
    """

    def read(row: int) -> tuple[int, T] | None:
        try:
            content = read_content(image_source(table.root, table.locations[row]))
            assert isinstance(content, bytes)
            return content_key(content), compute(content)
        except UnreadableImage:
            return None

    return in_threads(read, rows.tolist(), max(1, worker_count(workers)), name, chunk=CHUNK)
