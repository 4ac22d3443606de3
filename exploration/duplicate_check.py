"""Confirms candidates for near-duplicates: aligns the two images and compares the part that both show.

First the cached thumbnails, which excludes most candidates, then the images themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from exploration.image_alignment import (
    Floats,
    align,
    align_coarse_to_fine,
    as_floats,
    common_boxes,
    halved,
    identity,
    resized,
    root_mean_square,
)
from exploration.image_signatures import SIDE, Signatures, perceptual_hash, thumbnail
from model.data.table import Table
from model.images.decode import UnreadableImage, read_image
from model.runtime.workers import worker_count

BATCH = 256  # pairs that are aligned at once
FINE_SIDE = 48  # pixels at which images are compared
DRAFT = 96  # smallest side in pixels at which a JPEG is decoded for the comparison
KEPT = 256  # decoded images that are kept in memory
ROUNDS = 2  # times the common part is cut out of the images and aligned again
# Largest root mean square differences of aligned thumbnails, 0 to 1, at SIDE / 2 and at SIDE
MOST_COARSE, MOST_MIDDLE = 0.07, 0.06
# Measured by benchmarks/near_duplicates.py on 5,005 drawn faces and 2,324 photographs: differences of copies are at
# most 0.009, those of other images at least 0.021; correlations of copies are at least 0.87
MOST_DIFFERENT, LEAST_CORRELATION, MOST_DISTANCE = 0.015, 0.8, 0.2
DETAIL = 2.5  # standard deviation in pixels of the Gaussian filter whose difference from the image is its details


@dataclass(frozen=True)
class ConfirmedPair:
    """A candidate that was confirmed.

    Attributes:
        rows: Rows of the images.
        is_flipped: Whether one image is the mirror image of the other.
        distance: Share of the bits of the pHash (64 bits) of the common part that differ.
        difference: Root mean square difference of the coarse structure of the common part, 0 to 1.
        correlation: Correlation of its details.
    """

    rows: tuple[int, int]
    is_flipped: bool
    distance: float
    difference: float
    correlation: float

    @property
    def is_copy(self) -> bool:
        """Whether the images are so similar that one is a copy of the other."""
        return (
            self.difference <= MOST_DIFFERENT
            and self.correlation >= LEAST_CORRELATION
            and self.distance <= MOST_DISTANCE
        )


def confirmed_pairs(
    table: Table, signatures: Signatures, candidates: NDArray[np.int64], workers: int = -1
) -> list[ConfirmedPair]:
    """The candidates that are copies.

    Args:
        table: The images.
        signatures: Their signatures.
        candidates: int64 (n, 3): two rows, and 1 if the second image is mirrored.
        workers: Number of threads; -1: one per core.

    Returns:
        The pairs, each once, in the order of the rows.
    """
    compared = compared_pairs(table, signatures, candidates, workers)
    best: dict[tuple[int, int], ConfirmedPair] = {}
    for pair in compared:
        if pair.is_copy and (pair.rows not in best or pair.difference < best[pair.rows].difference):
            best[pair.rows] = pair
    return [best[rows] for rows in sorted(best)]


def compared_pairs(
    table: Table, signatures: Signatures, candidates: NDArray[np.int64], workers: int = -1
) -> Iterator[ConfirmedPair]:
    """Yields the comparison of each candidate whose thumbnails are similar. Arguments: see confirmed_pairs."""

    @lru_cache(KEPT)
    def decoded(row: int) -> Image.Image | None:
        try:
            return read_image(table.root, table.locations[row], draft=(DRAFT, DRAFT))
        except UnreadableImage:
            return None

    kept = [_similar_thumbnails(signatures, candidates[first : first + BATCH])
            for first in range(0, len(candidates), BATCH)]  # fmt: skip
    if not kept:
        return
    pairs = np.concatenate([own for own, _ in kept])
    alignments = np.concatenate([own for _, own in kept])
    threads = max(1, worker_count(workers))
    with ThreadPoolExecutor(threads, thread_name_prefix="duplicates") as pool:
        size = max(1, BATCH // 4)
        parts = [slice(first, first + size) for first in range(0, len(pairs), size)]

        def compare(part: slice) -> list[ConfirmedPair]:
            images = [(decoded(int(a)), decoded(int(b)), bool(mirrored)) for a, b, mirrored in pairs[part]]
            return _compare(pairs[part], images, alignments[part])

        for results in pool.map(compare, parts):
            yield from results


def _similar_thumbnails(signatures: Signatures, candidates: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """The candidates whose aligned thumbnails are similar, and their alignments in shares of the sides."""
    first, second = (as_floats(signatures.thumbnails[candidates[:, side]]) for side in (0, 1))
    mirrored = candidates[:, 2] == 1
    second[mirrored] = second[mirrored, :, ::-1]
    # half the size excludes most pairs in a quarter of the time
    small = halved(first), halved(second)
    coarse = align(*small, identity(len(first)), 4)
    is_near = root_mean_square(*small, coarse) <= MOST_COARSE
    first, second, candidates = first[is_near], second[is_near], candidates[is_near]
    if not len(candidates):
        return candidates, identity(0)
    fine = align(first, second, resized(coarse[is_near], 2), 3)
    is_near = root_mean_square(first, second, fine) <= MOST_MIDDLE
    return candidates[is_near], resized(fine[is_near], 1 / SIDE)


def _compare(
    pairs: NDArray[np.int64], images: list[tuple[Image.Image | None, Image.Image | None, bool]], alignment: Floats
) -> list[ConfirmedPair]:
    """Compares pairs of images.

    Args:
        pairs: int64 (n, 3), as in confirmed_pairs.
        images: The decoded images of each pair, and whether the second is mirrored; None if an image is unreadable.
        alignment: float32 (n, 4), shifts in shares of the sides.
    """
    is_known = np.array([None not in own for own in images], dtype=bool)
    pairs, alignment = pairs[is_known], alignment[is_known]
    opened = [(a, ImageOps.mirror(b) if mirrored else b) for a, b, mirrored in images if a and b]
    if not opened:
        return []
    for _ in range(ROUNDS):
        # cut the common part out of both images, and correct the alignment by what remains
        boxes = common_boxes(alignment)
        first, second = _cut(opened, boxes)
        rest = resized(align_coarse_to_fine(first, second), 1 / FINE_SIDE)
        alignment = _combined(alignment, rest, boxes)
    first, second = _cut(opened, common_boxes(alignment))
    (coarse, fine), (other_coarse, other_fine) = _coarse_and_fine(first), _coarse_and_fine(second)
    difference = np.sqrt(((coarse - other_coarse) ** 2).mean((1, 2, 3)))
    correlation = _correlation(fine, other_fine)
    distance = [_hash_distance(a, b) for a, b in zip(first, second)]
    return [
        ConfirmedPair((int(a), int(b)), bool(mirrored), *map(float, values))
        for (a, b, mirrored), *values in zip(pairs, distance, difference, correlation)
    ]


def _cut(
    images: list[tuple[Image.Image, Image.Image]], boxes: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[Floats, Floats]:
    """The parts of the images in the boxes, float32 (n, FINE_SIDE, FINE_SIDE, 3), 0 to 1."""
    cut = []
    for side in (0, 1):
        scaled = [own[side].size * 2 * box for own, box in zip(images, boxes[side])]
        parts = [thumbnail(own[side], FINE_SIDE, tuple(box.tolist())) for own, box in zip(images, scaled)]
        cut.append(as_floats(np.stack(parts)))
    return cut[0], cut[1]


def _combined(alignment: Floats, rest: Floats, boxes: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Floats:
    """The alignment of whole images from that of their cut parts.

    Args:
        alignment: float32 (n, 4), shifts in shares of the sides, from which the boxes were computed.
        rest: The alignment of the parts in the boxes, likewise.
        boxes: The common parts (common_boxes).
    """
    combined = alignment.copy()
    for axis, (scale, shift) in enumerate(((2, 3), (0, 1))):  # x, then y
        (low, high), (own_low, own_high) = ((box[:, axis], box[:, axis + 2]) for box in boxes)
        size, own_size = high - low, own_high - own_low
        # q of the second part is r * (q - 0.5) + 0.5 + t of the first part; both in shares of their boxes
        ratio = rest[:, scale] * size / own_size
        middle, own_middle = (low + high) / 2, (own_low + own_high) / 2
        combined[:, scale] = ratio
        combined[:, shift] = middle + rest[:, shift] * size + ratio * (0.5 - own_middle) - 0.5
    return combined


def _coarse_and_fine(images: Floats) -> tuple[Floats, Floats]:
    """Divides images into coarse structure, which compression and resizing keep, and details."""
    from scipy.ndimage import gaussian_filter

    coarse = np.asarray(gaussian_filter(images, (0, DETAIL, DETAIL, 0), mode="nearest"), dtype=np.float32)
    return coarse, images - coarse


def _correlation(first: Floats, second: Floats) -> Floats:
    """Correlation of the pixels of each pair of images, float32 (n,); 1 if both have no details."""
    products = [(a * b).sum((1, 2, 3)) + 1e-3 for a, b in ((first, second), (first, first), (second, second))]
    return np.asarray(products[0] / np.sqrt(products[1] * products[2]), dtype=np.float32)


def _hash_distance(first: Floats, second: Floats) -> float:
    """Share of the bits of the pHash that differ. first, second: float32 (side, side, 3), 0 to 1."""
    a, b = (perceptual_hash(Image.fromarray((255 * image).round().astype(np.uint8))) for image in (first, second))
    return float((a != b).mean())
