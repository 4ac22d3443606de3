"""Signatures of images by which near-duplicates are found: a small colour thumbnail and perceptual hashes, cached."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from exploration.image_pass import read_images
from model.data.table import Table
from model.embeddings.cache import FeatureCache
from model.images.decode import read_source
from model.runtime.terminal import progress_bar

CACHE = "signatures"  # folder in the cache folder
SIDE = 24  # pixels of the thumbnail, which has the aspect ratio 1
HASH_SIDE = 32  # pixels of which ImageHash computes the 64-bit pHash
PIXELS = SIDE * SIDE * 3
FEATURES = PIXELS + 16  # of the cache: the pixels, then the bytes of both hashes
DRAFT = 96  # smallest side in pixels at which a JPEG is decoded
WRITTEN = 4096  # images per chunk of the cache

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Signatures:
    """Signatures of n images, aligned with the rows of a table.

    Attributes:
        thumbnails: uint8 (n, SIDE, SIDE, 3), RGB.
        hashes: uint64 (n, 2), pHash of the image and of its mirror image.
        is_known: bool (n,), False if an image is unreadable; its other values are 0.
    """

    thumbnails: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    is_known: NDArray[np.bool_]


def image_signatures(table: Table, cache: Path | None = None, workers: int = -1) -> Signatures:
    """Computes the signatures of all images of a table, in threads.

    Args:
        table: The images. With `contents`, the signatures of known contents are read from the cache.
        cache: Folder of caches; None to cache nothing.
        workers: Number of threads; -1: one per core.
    """
    values = np.zeros((len(table), FEATURES), np.uint8)
    keys = np.zeros(len(table), np.uint64) if table.contents is None else table.contents.keys.copy()
    store = None if cache is None else FeatureCache(cache / CACHE, FEATURES)
    is_known = np.zeros(len(table), bool) if store is None else store.contains(keys)
    if store is not None:
        for first in range(0, len(table), WRITTEN):
            rows = first + np.flatnonzero(is_known[first : first + WRITTEN])
            values[rows] = store.read(keys[rows]).astype(np.uint8)
    new = np.flatnonzero(~is_known)
    with progress_bar("signatures of images", len(new)) as bar:
        for first in range(0, len(new), WRITTEN):
            rows = new[first : first + WRITTEN]
            for row, found in zip(rows.tolist(), read_images(table, rows, signature_of, workers, "signatures")):
                if found is not None:
                    (keys[row], values[row]), is_known[row] = found, True
                bar.update()
            _write(store, keys, values, rows[is_known[rows]])
    hashes = np.ascontiguousarray(values[:, PIXELS:]).view(">u8").astype(np.uint64)
    return Signatures(values[:, :PIXELS].reshape(-1, SIDE, SIDE, 3), hashes, is_known)


def _write(
    store: FeatureCache | None, keys: NDArray[np.uint64], values: NDArray[np.uint8], rows: NDArray[np.int64]
) -> None:
    """Adds rows to the cache. If the folder is not writable, logs that and continues."""
    if store is None or not len(rows):
        return
    try:
        store.write(keys[rows], values[rows].astype(np.float16))  # whole numbers up to 2,048 are exact
    except OSError as error:
        log.info("cannot write the cache of signatures: %s: %s", store.folder, error.strerror)


def signature_of(content: bytes) -> NDArray[np.uint8]:
    """The thumbnail and the hashes of an encoded image, uint8 (FEATURES,). Raises UnreadableImage."""
    image = read_source(content, draft=(DRAFT, DRAFT))
    grey = image.convert("L").resize((HASH_SIDE, HASH_SIDE), Image.Resampling.LANCZOS)
    bits = np.stack([perceptual_hash(grey), perceptual_hash(ImageOps.mirror(grey))])  # bool (2, 64)
    return np.concatenate([thumbnail(image, SIDE).ravel(), np.packbits(bits, axis=1).ravel()])


def perceptual_hash(image: Image.Image) -> NDArray[np.bool_]:
    """The pHash of an image, bool (64,)."""
    from imagehash import phash  # imports scipy and PyWavelets, which takes long

    return np.asarray(phash(image).hash.ravel(), dtype=bool)


def thumbnail(image: Image.Image, side: int, box: tuple[float, float, float, float] | None = None) -> NDArray[np.uint8]:
    """An RGB image as uint8 (side, side, 3). box: left, top, right, bottom of the part to use, in pixels."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC, box=box), dtype=np.uint8)
