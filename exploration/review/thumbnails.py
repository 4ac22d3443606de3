"""ReviewImages: the images of a channel as JPEGs in two sizes, decoded by a few threads and kept in memory."""

from __future__ import annotations

import io
import os
from concurrent.futures import Future
from pathlib import Path

from PIL import Image

from exploration.review.jpeg_cache import CACHE_BYTES, JpegCache
from model.data.table import Table
from model.images.decode import UnreadableImage, image_source, read_header, read_source
from model.images.image_location import ImageLocation

SIDES = {"thumb": 160, "large": 1200}  # longest side in pixels
QUALITIES = {"thumb": 80, "large": 90}
MAX_THREADS = 4


class ReviewImages:
    """JPEGs of the images of a table.

    Args:
        table: The table.
        follow_links: Whether images may be outside the channel, behind symbolic links.
        cache_bytes: Memory for JPEGs; the longest unused are dropped.
        threads: Number of threads that decode; default: one per core, at most MAX_THREADS.
    """

    def __init__(
        self, table: Table, follow_links: bool = False, cache_bytes: int = CACHE_BYTES, threads: int = 0
    ) -> None:
        self.root, self.locations = table.root, table.locations
        self._real_root = None if follow_links else os.path.realpath(table.root)
        threads = threads or min(os.cpu_count() or 1, MAX_THREADS)
        self._cache: JpegCache[tuple[int, str]] = JpegCache(self._make, threads, cache_bytes)

    def close(self) -> None:
        """Ends the threads."""
        self._cache.close()

    def jpeg(self, row: int, size: str) -> Future[bytes]:
        """The JPEG of an image.

        Args:
            row: Row of the table.
            size: One of SIDES.

        Returns:
            A future with the bytes, or with an UnreadableImage.
        """
        return self._cache.get((row, size))

    def dimensions(self, row: int) -> tuple[int, int]:
        """Width and height of the upright image in pixels. Raises UnreadableImage."""
        width, height = read_header(self.source(row)).size
        with Image.open(io.BytesIO(self.jpeg(row, "thumb").result())) as thumbnail:
            is_turned = (thumbnail.width - thumbnail.height) * (width - height) < 0
        return (height, width) if is_turned else (width, height)

    def _make(self, key: tuple[int, str]) -> bytes:
        row, size = key
        return encode(read_source(self.source(row), draft=(SIDES[size], SIDES[size])), size)

    def source(self, row: int) -> str | Path | tuple[str | Path, int, int]:
        """The source of an image. UnreadableImage if a link leads out of the channel, even if it is new."""
        location: ImageLocation = self.locations[row]
        source = image_source(self.root, location)
        assert isinstance(source, (str, Path, tuple))
        if self._real_root is not None:
            file = os.path.realpath(os.path.join(self.root, location.file))
            if os.path.commonpath([file, self._real_root]) != self._real_root:
                raise UnreadableImage("a link that leads out of the channel")
        return source


def encode(image: Image.Image, size: str) -> bytes:
    """Shrinks an image to a size of SIDES and encodes it as JPEG, without comments and EXIF."""
    image.thumbnail((SIDES[size], SIDES[size]))
    image.info.clear()
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITIES[size])
    return content.getvalue()
