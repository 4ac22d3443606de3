"""Cache of features on the disk, by the key of each image's content (model.data.content_index). Imports no torch.

A cache is a folder of chunks. A chunk is two files: NAME.features.npy, float16 (n, features), and NAME.keys.npy, uint64
(n,). The keys are written last, so a chunk without them is incomplete and ignored. Each writer names its chunks by a
random number: several processes can write to the same cache.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.atomic_write import PART, write_beside

KEYS, FEATURES = ".keys.npy", ".features.npy"  # endings of a chunk's files
ABANDONED_SECONDS = 600  # since the last change of a file; a chunk is written within seconds

log = logging.getLogger("rarebird")


class FeatureCache:
    """The chunks of a folder.

    Args:
        folder: The folder; created by the first write.
        features: Number of features of an image. Chunks with another number are ignored.
    """

    def __init__(self, folder: Path, features: int):
        self.folder, self.features = folder, features
        self._arrays: list[NDArray[np.float16]] = []  # memory-mapped features of each chunk
        keys: list[NDArray[np.uint64]] = []
        chunks: list[NDArray[np.int32]] = []
        rows: list[NDArray[np.int32]] = []
        for path in sorted(folder.glob(f"*{KEYS}")):
            chunk = _read_chunk(path, features)
            if chunk is None:
                log.warning("%s: damaged or of another size; its features are computed again", path)
                continue
            keys.append(chunk[0])
            rows.append(np.arange(len(chunk[0]), dtype=np.int32))
            chunks.append(np.full(len(chunk[0]), len(self._arrays), dtype=np.int32))
            self._arrays.append(chunk[1])
        all_keys = np.concatenate([np.empty(0, np.uint64), *keys])
        self._keys, first = np.unique(all_keys, return_index=True)  # sorted; a key may be in several chunks
        self._chunks = np.concatenate([np.empty(0, np.int32), *chunks])[first]
        self._rows = np.concatenate([np.empty(0, np.int32), *rows])[first]

    def __len__(self) -> int:
        """Number of images in the cache."""
        return len(self._keys)

    def contains(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether the features of each key are in the cache, bool (n,). A key of 0 is unknown content."""
        return self._positions(keys) >= 0

    def read(self, keys: NDArray[np.uint64]) -> NDArray[np.float16]:
        """Reads features.

        Args:
            keys: uint64 (n,).

        Returns:
            float16 (n, features), rows of NaN for keys that are not in the cache.
        """
        features = np.full((len(keys), self.features), np.nan, np.float16)
        positions = self._positions(keys)
        known = np.flatnonzero(positions >= 0)
        # sort by chunk, so that each chunk is read once
        known = known[np.argsort(self._chunks[positions[known]], kind="stable")]
        numbers, first = np.unique(self._chunks[positions[known]], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(known, first[1:])):
            features[rows] = self._arrays[number][self._rows[positions[rows]]]
        return features

    def write(self, keys: NDArray[np.uint64], features: NDArray[np.floating]) -> None:
        """Writes a chunk, which this object does not read: open the cache again.

        Args:
            keys: uint64 (n,), without 0.
            features: (n, features).

        Raises:
            OSError: The folder cannot be written.
        """
        if not len(keys):
            return
        name = secrets.token_hex(8)
        with write_beside(self.folder / f"{name}{FEATURES}") as partial, partial.open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(features, np.float16), allow_pickle=False)
        with write_beside(self.folder / f"{name}{KEYS}") as partial, partial.open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(keys, np.uint64), allow_pickle=False)

    def remove_incomplete(self) -> None:
        """Removes what killed writers left: temporary files, and features without keys.

        Files that another process may still be writing, changed within ABANDONED_SECONDS, are kept.
        """
        for path in [*self.folder.glob(f".*{PART}"), *self.folder.glob(f"*{FEATURES}")]:
            is_complete = path.with_name(path.name.removesuffix(FEATURES) + KEYS).exists() and path.suffix != PART
            with suppress(OSError):  # another process removes it too
                if not is_complete and time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()

    def _positions(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The position of each key in the sorted keys, int64 (n,); -1 where it is not there."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.int64)
        positions = np.searchsorted(self._keys, keys)
        positions[positions == len(self._keys)] = 0
        return np.where((self._keys[positions] == keys) & (keys != 0), positions, -1)


def _read_chunk(path: Path, features: int) -> tuple[NDArray[np.uint64], NDArray[np.float16]] | None:
    """Keys and memory-mapped features of a chunk; None if it is damaged or has another number of features."""
    try:
        keys = np.load(path, allow_pickle=False)
        array = np.load(path.with_name(path.name.removesuffix(KEYS) + FEATURES), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # what NumPy raises for missing, truncated or other files
        return None
    fits = keys.dtype == np.uint64 and array.dtype == np.float16 and array.shape == (*keys.shape, features)
    return (keys, array) if fits and keys.ndim == 1 else None
