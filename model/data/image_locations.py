"""ImageLocations: the locations of all images of a channel, compact and cheap to send to loader workers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.images.image_location import ImageLocation

ENCODING, ERRORS = "utf-8", "surrogatepass"  # keeps every str, even one that is not valid Unicode


class ImageLocations:
    """A read-only sequence of ImageLocation, indexed by row.

    It has no Python object per image: the paths are one block of UTF-8, everything else is in arrays. A million
    locations thus pickle as fast as memory is copied. Forked workers share the memory; from a list of strings each
    worker would copy it, since reading an object changes its reference count.

    Args:
        locations: The locations, in the order of the rows.
    """

    def __init__(self, locations: Iterable[ImageLocation] = ()) -> None:
        text = bytearray()
        ends, codes, offsets, sizes = array("q", [0]), array("i"), array("q"), array("q")
        code_of_shard: dict[str | None, int] = {None: -1}
        for location in locations:
            text += location.path.encode(ENCODING, ERRORS)
            ends.append(len(text))
            codes.append(code_of_shard.setdefault(location.shard, len(code_of_shard) - 1))
            offsets.append(location.offset)
            sizes.append(location.size)
        # All paths, and the byte at which each path starts and ends, int64 (n,)
        self._text = bytes(text)
        self._starts, self._ends = np.array(ends[:-1], np.int64), np.array(ends[1:], np.int64)
        # Each image's index into the names of the shards, int32 (n,); -1 if the image is not in a shard
        self._shard_names = [name for name in code_of_shard if name is not None]
        self._shard_codes = np.array(codes, np.int32)
        # Byte ranges in the shards, int64 (n,), as in ImageLocation
        self.offsets, self.sizes = np.array(offsets, np.int64), np.array(sizes, np.int64)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, row: int) -> ImageLocation:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self):,} images")
        path = self._text[self._starts[row] : self._ends[row]].decode(ENCODING, ERRORS)
        code = self._shard_codes[row]
        shard = None if code < 0 else self._shard_names[code]
        return ImageLocation(path, shard, int(self.offsets[row]), int(self.sizes[row]))

    def __iter__(self) -> Iterator[ImageLocation]:
        return (self[row] for row in range(len(self)))

    @property
    def paths(self) -> list[str]:
        """The path of each image."""
        spans = zip(self._starts.tolist(), self._ends.tolist())
        return [self._text[start:end].decode(ENCODING, ERRORS) for start, end in spans]

    @property
    def shards(self) -> list[str | None]:
        """The shard of each image; None if it is not in a shard."""
        return [None if code < 0 else self._shard_names[code] for code in self._shard_codes.tolist()]

    def rows_by_shard(self) -> dict[str | None, NDArray[np.int64]]:
        """The rows of the images in each shard, ascending. The key None has the images that are not in a shard."""
        ordered = np.argsort(self._shard_codes, kind="stable")
        codes, first = np.unique(self._shard_codes[ordered], return_index=True)
        names = [None if code < 0 else self._shard_names[code] for code in codes.tolist()]
        return dict(zip(names, np.split(ordered, first[1:]) if names else []))

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageLocations:
        """The locations of these rows, in this order. They share the block of paths with this object."""
        positions = np.asarray(rows, dtype=np.int64)
        taken = ImageLocations()
        taken._text, taken._shard_names = self._text, self._shard_names
        taken._starts, taken._ends = self._starts[positions], self._ends[positions]
        taken._shard_codes = self._shard_codes[positions]
        taken.offsets, taken.sizes = self.offsets[positions], self.sizes[positions]
        return taken
