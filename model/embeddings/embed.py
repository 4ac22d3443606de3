"""Features of a channel's images: those in the cache are read, the others are computed and added to it.

Imports torch only if features of a network must be computed (model.embeddings.extractor).
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.atomic_write import write_json
from model.data.table import Table
from model.embeddings.cache import FeatureCache
from model.embeddings.embedders import Embedder, make_embedders
from model.embeddings.requests import CachedFeatures, read_request, request_digest, write_request
from model.errors import Failure
from model.runtime.terminal import counted
from model.settings.embedder import EmbedderSettings

DESCRIPTION = "description.json"  # in the folder of each embedder, for people
CHUNK_IMAGES, CHUNK_SECONDS = 4096, 30.0  # a chunk of the cache is written after either
PROGRESS_SECONDS = 10.0
PASSES = 3  # an image that differs from its key or cannot be read is tried through its duplicates in the next pass
BLOCK = 1 << 16  # rows that are normalised at once
MAX_IN_MEMORY = 2 << 30  # bytes; larger results are memory-mapped

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Embeddings:
    """Features of the images of a table.

    Attributes:
        features: float16 (n, d), aligned with the rows of the table. The part of each input size has length 1. Rows of
            unreadable images are NaN.
        name: Name for texts, such as `mobilenetv2_100, 224x224`.
        computed: Number of images whose features were not in the cache, summed over the input sizes.
        seconds: Time that computing them took.
        folders: Folders of the cache with the features.
    """

    features: NDArray[np.float16]
    name: str
    computed: int = 0
    seconds: float = 0.0
    folders: tuple[Path, ...] = ()

    def normalised(self) -> NDArray[np.float32]:
        """Features of length 1, float32 (n, d); rows of unreadable images are 0."""
        features = np.nan_to_num(self.features.astype(np.float32), copy=False)
        lengths = np.sqrt(np.einsum("ij,ij->i", features, features))
        features /= np.maximum(lengths, np.float32(1e-12))[:, None]
        return features

    def readable(self) -> NDArray[np.bool_]:
        """Whether each image has features, bool (n,)."""
        return ~np.isnan(self.features[:, 0])


def embed_table(
    table: Table, embedder: EmbedderSettings, cache: Path, batch_size: int = 0, workers: int = -1
) -> Embeddings:
    """The features of a table's images, computed once per content, weights, preprocessing and precision.

    Args:
        table: The images. The keys of their contents save reading images whose features are in the cache.
        embedder: What computes the features.
        cache: Folder of caches; the features are in its subfolder `embeddings`.
        batch_size: Images per forward pass; 0: a number that is fast on the hardware.
        workers: Number of threads that decode and compute, on a GPU of processes that decode; -1: by the number of
            cores.

    Raises:
        InputError: The model or its weights cannot be loaded.
        Failure: The cache cannot be written.
    """
    cache = cache / "embeddings"
    keys = np.zeros(len(table), np.uint64) if table.contents is None else table.contents.keys.copy()
    request = request_digest(embedder)
    found = read_request(cache, request)
    computed, seconds = 0, 0.0
    caches = _open_caches(cache, found)
    if not found or not all(each.contains(keys).all() for each in caches):
        started = time.monotonic()
        embedders = make_embedders(embedder)
        found = [CachedFeatures(each.folder, each.name, each.features) for each in embedders]
        for each in embedders:
            computed += _complete(table, keys, each, cache / each.folder, batch_size, workers)
        with _writing(cache):
            write_request(cache, request, found)
        seconds = time.monotonic() - started
        caches = _open_caches(cache, found)
    folders = [each.folder for each in caches]
    name = ", ".join([found[0].name, *(entry.name.rpartition(", ")[2] for entry in found[1:])])
    embeddings = Embeddings(_assembled(caches, keys, cache), name, computed, seconds, tuple(folders))
    unreadable = len(table) - int(embeddings.readable().sum())
    if unreadable:
        log.warning("%s of %s images are unreadable and have no features", f"{unreadable:,}", f"{len(table):,}")
    return embeddings


def _open_caches(cache: Path, found: list[CachedFeatures]) -> list[FeatureCache]:
    return [FeatureCache(cache / entry.folder, entry.features) for entry in found]


def _complete(
    table: Table, keys: NDArray[np.uint64], embedder: Embedder, folder: Path, batch_size: int, workers: int
) -> int:
    """Computes the features that are not in the cache.

    Args:
        table: The images.
        keys: uint64 (n,), keys of their contents, 0 if unknown; the keys of images that are read are updated.
        embedder: Computes the features.
        folder: Its folder in the cache.
        batch_size: Images per forward pass; 0: the embedder's own.
        workers: As in embed_table.

    Returns:
        Number of images whose features were computed.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        FeatureCache(folder, embedder.features).remove_incomplete()
        if not (folder / DESCRIPTION).is_file():
            write_json(folder / DESCRIPTION, _description(embedder))
    computed = 0
    tried = np.zeros(len(table), bool)
    for _ in range(PASSES):
        cache = FeatureCache(folder, embedder.features)
        rows = _one_per_content(keys, ~cache.contains(keys) & ~tried)
        if not len(rows):
            break
        tried[rows] = True
        computed += _compute(table, keys, rows, embedder, cache, batch_size or embedder.batch_size, workers)
    return computed


def _one_per_content(keys: NDArray[np.uint64], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first wanted row of each content, and all wanted rows of unknown content, int64, in increasing order."""
    known = np.flatnonzero(wanted & (keys != 0))
    _, first = np.unique(keys[known], return_index=True)
    return np.sort(np.concatenate([known[first], np.flatnonzero(wanted & (keys == 0))]))


def _compute(
    table: Table,
    keys: NDArray[np.uint64],
    rows: NDArray[np.int64],
    embedder: Embedder,
    cache: FeatureCache,
    batch_size: int,
    workers: int,
) -> int:
    """Computes the features of rows and writes them chunk by chunk, also if it is interrupted.

    Args:
        rows: int64, the rows to read. The other arguments are those of _complete.

    Returns:
        Number of readable images.
    """
    log.info("%s on %s: computing the features of %s", embedder.name, embedder, counted(len(rows), "image"))
    dataset = embedder.dataset(table.root, table.locations)
    items = (
        [(row, row) for row in rows[first : first + batch_size].tolist()] for first in range(0, len(rows), batch_size)
    )
    chunk = _Chunk(cache)
    done = computed = 0
    started = logged = time.monotonic()
    try:
        for batch, features in embedder.computed(dataset, items, workers):
            assert batch.keys is not None  # the dataset is with_keys
            keys[batch.rows] = batch.keys
            chunk.add(batch.keys, features)
            computed += len(batch.rows)
            done += len(batch.rows) + len(batch.unreadable)
            if time.monotonic() - logged >= PROGRESS_SECONDS:
                logged = time.monotonic()
                rate = done / (logged - started)
                log.info("%s: %s of %s images, %.0f/s", embedder.name, f"{done:,}", f"{len(rows):,}", rate)
    finally:
        chunk.write()
    return computed


class _Chunk:
    """Features that are not yet in the cache.

    Args:
        cache: The cache to write to.
    """

    def __init__(self, cache: FeatureCache):
        self.cache = cache
        self.keys: list[NDArray[np.uint64]] = []
        self.features: list[NDArray[np.float16]] = []
        self.started = time.monotonic()

    def add(self, keys: NDArray[np.uint64], features: NDArray[np.float32]) -> None:
        """Adds the features of some images, (n, features), and writes the chunk if it is due."""
        self.keys.append(keys)
        self.features.append(features.astype(np.float16))
        if sum(map(len, self.keys)) >= CHUNK_IMAGES or time.monotonic() - self.started >= CHUNK_SECONDS:
            self.write()

    def write(self) -> None:
        """Writes the features to the cache. Raises Failure if that is impossible."""
        keys, features = self.keys, self.features
        self.keys, self.features, self.started = [], [], time.monotonic()
        if keys:
            with _writing(self.cache.folder):
                self.cache.write(np.concatenate(keys), np.concatenate(features))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns an OSError of the block into a Failure that says what to do. folder: the folder that is written to."""
    try:
        yield
    except OSError as error:
        raise Failure(
            f"{folder}: cannot write the cache of features: {error.strerror or error}; what was written before is "
            "kept; free space or choose another folder (--cache DIR), and run the command again"
        ) from None


def _assembled(caches: list[FeatureCache], keys: NDArray[np.uint64], folder: Path) -> NDArray[np.float16]:
    """The features of all caches side by side, each of length 1, float16 (n, d).

    Args:
        caches: The cache of each input size.
        keys: uint64 (n,).
        folder: Folder of a temporary file for a result that is too large for the memory.
    """
    features = _array(len(keys), sum(cache.features for cache in caches), folder)
    for first in range(0, len(keys), BLOCK):
        rows = slice(first, first + BLOCK)
        column = 0
        for cache in caches:
            block = cache.read(keys[rows]).astype(np.float32)
            lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
            features[rows, column : column + cache.features] = block / np.maximum(lengths, 1e-12)[:, None]
            column += cache.features
    return features


def _array(rows: int, columns: int, folder: Path) -> NDArray[np.float16]:
    """An array float16 (rows, columns), in a file without name if it is larger than MAX_IN_MEMORY."""
    if rows * columns * 2 <= MAX_IN_MEMORY:
        return np.empty((rows, columns), np.float16)
    with _writing(folder), tempfile.TemporaryFile(dir=folder) as file:  # the mapping outlives the file
        return np.memmap(file, np.float16, "w+", shape=(rows, columns))


def _description(embedder: Embedder) -> dict[str, object]:
    """The content of description.json."""
    return {
        "model": embedder.model,
        "size": embedder.size,
        "features": embedder.features,
        "weights": embedder.weights,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "depends_on": {"preprocessing": embedder.pipeline.to_dict(), **embedder.identity()},
    }
