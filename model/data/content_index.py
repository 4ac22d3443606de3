"""The content index of a channel: a hash of each image's bytes, and whether it has more than 8 bits per channel.

The integrity check, the leak check, the pixel range and the record of the images that a model learned from share it.
It is cached by path, size and modification time, in a file next to the cache of the integrity check.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.atomic_write import write_beside
from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation

CACHE = ".contents"  # next to the cache of the integrity check
END = 4096  # bytes at the end of an image that are compared before the whole file
COLUMNS = 4  # of the cache: fingerprint, both halves of the hash, whether the image has more than 8 bits per channel

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ContentIndex:
    """Contents of n images, aligned with the rows of a table.

    Attributes:
        hashes: uint64 (n, 2), 16-byte BLAKE2b hash of each file; zeros if the image was not hashed.
        is_deep: bool (n,), whether an image has more than 8 bits per channel.
        pixels: float32 (n, 1 + quantiles), for deep images: whether the pixels are floats, and their quantiles
            (model.images.pixel_range); NaN for images that were not sampled. None if no image is deep.
    """

    hashes: NDArray[np.uint64]
    is_deep: NDArray[np.bool_]
    pixels: NDArray[np.float32] | None = None

    @property
    def keys(self) -> NDArray[np.uint64]:
        """The first half of each hash, uint64 (n,); 0 if the image was not hashed.

        The probability that two different contents among a million images have the same key is 3e-8.
        """
        return self.hashes[:, 0]

    def take(self, rows: NDArray[np.int64]) -> ContentIndex:
        """The index of these rows, in this order."""
        pixels = None if self.pixels is None else self.pixels[rows]
        return ContentIndex(self.hashes[rows], self.is_deep[rows], pixels)


def content_hash(content: bytes) -> tuple[int, int]:
    """The 16-byte BLAKE2b hash as two 64-bit integers."""
    digest = hashlib.blake2b(content, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def content_key(content: bytes) -> int:
    """The key of an image by its bytes: see ContentIndex.keys."""
    return content_hash(content)[0]


def fingerprints(root: Path, locations: Iterable[ImageLocation], count: int) -> NDArray[np.uint64]:
    """Cache keys of images, uint64 (count,); 0 if the file does not exist.

    A key is a hash of the file's absolute path, size and modification time, and of the byte range in it.

    Args:
        root: Folder of the channel.
        locations: Locations of the images.
        count: Number of images.
    """
    absolute = os.path.realpath(root)
    keys = np.zeros(count, dtype=np.uint64)
    for row, location in enumerate(locations):
        file = os.path.join(absolute, location.file)
        try:
            stat = os.stat(file)
        except OSError:
            continue
        text = f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0{location.offset}\0{location.size}"
        digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        keys[row] = int.from_bytes(digest, "little")
    return keys


def read_array(path: Path | None, columns: int = 1) -> NDArray[np.uint64]:
    """Reads the array of a cache, uint64 (m,) or (m, columns).

    Args:
        path: File of the cache; None for an empty cache.
        columns: Number of columns; 1 for a one-dimensional array.

    Returns:
        The array; empty if there is no valid file.
    """
    shape = (0,) if columns == 1 else (0, columns)
    empty = np.empty(shape, dtype=np.uint64)
    if path is None:
        return empty
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # NumPy's reader raises many kinds of errors for a damaged file
        return empty
    is_valid = array.dtype == np.uint64 and array.ndim == len(shape) and array.shape[1:] == shape[1:]
    return array if is_valid else empty


def write_array(path: Path, array: NDArray[np.uint64]) -> None:
    """Writes the array of a cache. If the folder is not writable, logs that and continues."""
    try:
        with write_beside(path) as partial, partial.open("wb") as file:
            np.lib.format.write_array(file, array, allow_pickle=False)
    except OSError as error:
        log.info("cannot write the cache of checked images: %s: %s", path, error.strerror)


def known_contents(cache: NDArray[np.uint64], keys: NDArray[np.uint64]) -> tuple[ContentIndex, NDArray[np.bool_]]:
    """Looks up images in a cache.

    Args:
        cache: The cache, as read_array returns it.
        keys: uint64 (n,), the fingerprints of the images.

    Returns:
        The contents of the images, and whether each is in the cache, bool (n,).
    """
    positions = np.searchsorted(cache[:, 0], keys)
    positions[positions == len(cache)] = 0
    is_known = (cache[positions, 0] == keys) & (keys != 0) if len(cache) else np.zeros(len(keys), dtype=bool)
    entries = cache[positions] if len(cache) else np.zeros((len(keys), COLUMNS), np.uint64)
    entries[~is_known] = 0
    return ContentIndex(entries[:, 1:3].copy(), entries[:, 3].astype(bool)), is_known


def with_contents(
    cache: NDArray[np.uint64], keys: NDArray[np.uint64], index: ContentIndex, rows: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """A cache to which the contents of some images are added, sorted by fingerprint.

    Args:
        cache: The cache, as read_array returns it.
        keys: uint64 (n,), the fingerprints of the images.
        index: The contents of the images.
        rows: int64, the images to add.
    """
    rows = rows[(keys[rows] != 0) & (index.hashes[rows, 0] != 0)]
    new = np.column_stack([keys[rows], index.hashes[rows], index.is_deep[rows].astype(np.uint64)])
    merged = np.concatenate([new, cache])
    _, first = np.unique(merged[:, 0], return_index=True)
    return np.asarray(merged[first])


def hash_equal_files(
    channels: Sequence[tuple[Path, ImageLocations, ContentIndex]],
) -> None:
    """Hashes the images that may have the same content as another image of these channels.

    Used after a check of headers, which does not read whole files. Images are compared by size, then by their last
    bytes, and only those that are equal in both are read and hashed.

    Args:
        channels: Folder, images and contents of each; the hashes are changed in place.
    """
    sizes = np.concatenate([_sizes(root, locations) for root, locations, _ in channels])
    ends = np.zeros((len(sizes), 2), np.uint64)
    starts = np.cumsum([0, *(len(locations) for _, locations, _ in channels)])
    for only_end in (True, False):
        # For images that are equal so far, hash the end, then the whole file
        alike = _occurs_again(np.column_stack([sizes.astype(np.uint64), ends[:, 0]])) & (sizes > 0)
        for (root, locations, index), start in zip(channels, starts):
            unknown = alike[start : start + len(locations)] & (index.keys == 0)
            for row in np.flatnonzero(alike[start : start + len(locations)] if only_end else unknown).tolist():
                try:
                    hashed = content_hash(_bytes(root, locations[row], END if only_end else None))
                except OSError:
                    continue
                (ends[start:] if only_end else index.hashes)[row] = hashed


def _sizes(root: Path, locations: ImageLocations) -> NDArray[np.int64]:
    """Size of each image in bytes, int64 (n,); 0 if the file does not exist."""
    sizes = locations.sizes.copy()
    for row in np.flatnonzero(sizes < 0).tolist():
        try:
            sizes[row] = os.stat(os.path.join(root, locations[row].file)).st_size
        except OSError:
            sizes[row] = 0
    return sizes


def _bytes(root: Path, location: ImageLocation, end: int | None) -> bytes:
    """The bytes of an image. end: number of bytes at its end to read; None for all."""
    with open(os.path.join(root, location.file), "rb") as file:
        size = os.fstat(file.fileno()).st_size if location.shard is None else location.size
        first = 0 if end is None else max(0, size - end)
        file.seek(location.offset + first)
        return file.read(size - first)


def _occurs_again(rows: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each row (n, k) is equal to another one, bool (n,)."""
    _, inverse, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse.reshape(-1)] > 1)
