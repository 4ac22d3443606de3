"""near_duplicates finds images that are copies of each other: recompressed, resized, flipped or slightly cropped.

Candidates are the nearest neighbours by embedding, by a small thumbnail and by perceptual hash, and equal files. Each
candidate is confirmed by aligning the two images and comparing the part that both show (duplicate_check).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from exploration.duplicate_check import confirmed_pairs
from exploration.image_signatures import Signatures, image_signatures
from model.data.table import Table

NEIGHBOURS = 8  # per image and kind of features, of other groups
LEAST_COSINE = 0.8  # of embeddings and of thumbnails; copies in benchmarks/near_duplicates.py have at least 0.87
MOST_BITS, OWN_BITS = 6, 2  # of 64 bits of the pHash that differ in candidates, of other groups and of the same group
BLOCK = 512  # rows whose similarities with all images are in memory at once
HASH_PAIRS = 1 << 22  # pairs of hashes that are compared at once
THUMBNAIL = 12  # pixels of a side of the thumbnail whose neighbours are candidates


class EmbeddedImages(Protocol):
    """What near_duplicates uses of model.embeddings.embed.Embeddings: features (n, d), NaN if unreadable."""

    @property
    def features(self) -> NDArray[np.float16]: ...


@dataclass(frozen=True)
class DuplicatePair:
    """Two images of a table, one of which is a copy of the other.

    Attributes:
        rows: Rows of the images in the table, the smaller one first.
        similarity: Cosine of the embeddings, -1 to 1; NaN if one of them is missing.
        distance: Share of the bits of the perceptual hashes that differ after the images are aligned, 0 to 1; 0 if the
            files are equal.
        across_groups: Whether the images are of different groups. If the channel has no groups, always True.
        across_splits: Whether the images are in different splits.
        labels_differ: Whether a label that both images have is not the same.
        is_flipped: Whether one image is the mirror image of the other.
        is_equal: Whether the files have the same content.
    """

    rows: tuple[int, int]
    similarity: float
    distance: float
    across_groups: bool
    across_splits: bool
    labels_differ: bool
    is_flipped: bool = False
    is_equal: bool = False


def near_duplicates(
    table: Table,
    embeddings: EmbeddedImages | None,
    splits: Sequence[str] | NDArray[np.str_] | None = None,
    cache: Path | None = None,
    workers: int = -1,
) -> list[DuplicatePair]:
    """Finds near-duplicates. Memory is proportional to the number of images.

    Args:
        table: The images, labels and groups.
        embeddings: Features of the images; None to find candidates without them.
        splits: Split of each row, such as `train` or `eval`; None if there is one split.
        cache: Folder of caches, for the signatures of the images; None to cache nothing.
        workers: Number of threads; -1: one per core.

    Returns:
        The pairs: those across splits and with different labels first, then across groups, then by distance.
    """
    signatures = image_signatures(table, cache, workers)
    groups = np.unique(table.groups, return_inverse=True)[1].astype(np.int64)
    keys = np.zeros(len(table), np.uint64) if table.contents is None else table.contents.keys
    equal = _equal_files(keys)
    features = None if embeddings is None else embeddings.features
    candidates = _candidates(signatures, features, groups)
    candidates = candidates[~((keys[candidates[:, 0]] == keys[candidates[:, 1]]) & (keys[candidates[:, 0]] != 0))]
    confirmed = confirmed_pairs(table, signatures, candidates, workers)
    found = [(*rows, 0.0, False, True) for rows in equal.tolist()]
    found += [(pair.rows[0], pair.rows[1], pair.distance, pair.is_flipped, False) for pair in confirmed]
    codes = table.labels[list(table.scheme.names)].to_numpy(np.int64)
    pairs = []
    for a, b, distance, is_flipped, is_equal in found:
        pairs.append(
            DuplicatePair(
                rows=(a, b),
                similarity=float("nan") if features is None else _cosine(features[a], features[b]),
                distance=distance,
                across_groups=bool(groups[a] != groups[b]),
                across_splits=splits is not None and bool(splits[a] != splits[b]),
                labels_differ=bool(((codes[a] != codes[b]) & (codes[a] >= 0) & (codes[b] >= 0)).any()),
                is_flipped=is_flipped,
                is_equal=is_equal,
            )
        )
    return sorted(pairs, key=_order)


def _order(pair: DuplicatePair) -> tuple[bool, bool, bool, float, tuple[int, int]]:
    """Sorting key: the most important pairs first."""
    is_told = pair.across_groups or pair.across_splits
    return (not (is_told and pair.labels_differ), not pair.across_splits, not is_told, pair.distance, pair.rows)


def _cosine(a: NDArray[np.float16], b: NDArray[np.float16]) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length > 0 else float("nan")


def _equal_files(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of rows with the same content, int64 (pairs, 2): the first of equal files with each of the others."""
    order = np.argsort(keys, kind="stable")
    order = order[keys[order] != 0]
    starts = np.flatnonzero(np.diff(keys[order], prepend=np.uint64(0)) != 0)
    sizes = np.diff([*starts, len(order)])
    first = np.repeat(order[starts], sizes) if len(starts) else order
    is_other = first != order
    return np.column_stack([first[is_other], order[is_other]]).astype(np.int64)


def _candidates(
    signatures: Signatures, features: NDArray[np.float16] | None, groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs of rows that may be copies, int64 (pairs, 3): the smaller row, the larger row, 1 if mirrored."""
    found = [np.empty((0, 3), np.int64), *_similar(signatures, groups), *_equal_hashes(signatures, groups)]
    if features is not None:
        for rows in _neighbours(_Unit(features), _Unit(features), groups, signatures.is_known):
            # an embedding does not say whether an image is mirrored: try both
            found += [np.column_stack([rows, np.full(len(rows), mirrored)]) for mirrored in (0, 1)]
    pairs = np.concatenate(found)
    pairs[:, :2].sort(axis=1)
    return np.unique(pairs, axis=0)


class _Unit:
    """Features (n, d) whose blocks of rows are scaled to unit length when they are read; NaN becomes 0."""

    def __init__(self, features: NDArray[np.generic], centred: bool = False) -> None:
        self.features, self.centred = features, centred

    def __len__(self) -> int:
        return len(self.features)

    def block(self, first: int, last: int) -> NDArray[np.float32]:
        block = np.nan_to_num(self.features[first:last].reshape(min(last, len(self)) - first, -1).astype(np.float32))
        if self.centred:
            block -= block.mean(axis=1, keepdims=True)
        return block / np.linalg.norm(block, axis=1, keepdims=True).clip(1e-6)


def _similar(signatures: Signatures, groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yields candidates by the thumbnails of the images and of their mirror images."""
    thumbnails = signatures.thumbnails
    factor = thumbnails.shape[1] // THUMBNAIL
    blocks = thumbnails.reshape(len(thumbnails), THUMBNAIL, factor, THUMBNAIL, factor, 3)
    small = blocks.mean((2, 4), dtype=np.float32).astype(np.float16)
    for mirrored, others in enumerate((small, small[:, :, ::-1])):
        for rows in _neighbours(_Unit(small, True), _Unit(others, True), groups, signatures.is_known):
            yield np.column_stack([rows, np.full(len(rows), mirrored)])


def _neighbours(
    images: _Unit, others: _Unit, groups: NDArray[np.int64], is_known: NDArray[np.bool_]
) -> Iterator[NDArray[np.int64]]:
    """Yields pairs of rows, int64 (m, 2): each image and its NEIGHBOURS of other groups with at least LEAST_COSINE."""
    count = len(images)
    for first in range(0, count, BLOCK):
        rows = np.arange(first, min(first + BLOCK, count))
        block = images.block(first, first + BLOCK)
        best = np.full((len(rows), NEIGHBOURS), -1, np.int64)
        cosines = np.full((len(rows), NEIGHBOURS), -2, np.float32)
        for start in range(0, count, 8 * BLOCK):
            columns = np.arange(start, min(start + 8 * BLOCK, count))
            similarity = block @ others.block(start, start + 8 * BLOCK).T
            similarity[(groups[rows][:, None] == groups[columns]) | ~is_known[columns]] = -2
            # merge with the best of the earlier columns
            similarity = np.concatenate([cosines, similarity], axis=1)
            names = np.concatenate([best, np.broadcast_to(columns, (len(rows), len(columns)))], axis=1)
            top = np.argpartition(-similarity, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
            cosines, best = (np.take_along_axis(array, top, axis=1) for array in (similarity, names))
        is_near = (cosines >= LEAST_COSINE) & is_known[rows][:, None]
        yield np.column_stack([np.broadcast_to(rows[:, None], best.shape)[is_near], best[is_near]])


def _equal_hashes(signatures: Signatures, groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yields candidates by perceptual hash: at most NEIGHBOURS per image."""
    hashes, known = signatures.hashes, signatures.is_known
    block = max(1, HASH_PAIRS // max(1, len(hashes)))
    for first in range(0, len(hashes), block):
        rows = np.arange(first, min(first + block, len(hashes)))
        for mirrored in (0, 1):
            bits = np.bitwise_count(hashes[rows, :1] ^ hashes[None, :, mirrored]).astype(np.int16)
            limit = np.where(groups[rows][:, None] == groups, OWN_BITS, MOST_BITS)
            is_near = (bits <= limit) & known & known[rows][:, None] & (rows[:, None] < np.arange(len(hashes)))
            a, b = np.nonzero(is_near)
            # keep the nearest of each row
            order = np.lexsort((bits[a, b], a))
            a, b = a[order], b[order]
            is_kept = np.arange(len(a)) - np.searchsorted(a, a) < NEIGHBOURS
            yield np.column_stack([rows[a[is_kept]], b[is_kept], np.full(is_kept.sum(), mirrored)])
