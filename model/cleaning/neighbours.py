"""Exact nearest neighbours of images among those of other groups, and what their labels say about an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**24  # similarities computed at a time, 64 MiB
REFERENCE = 50_000  # images among which neighbours are searched; a random sample of a larger channel
NO_ROW = -1
SMOOTHING = 1.0  # number of neighbours that the shares of the classes count as in a vote


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of other groups.

    Attributes:
        rows: int64 (n, k), the most similar first; NO_ROW if there are fewer than k.
        similarity: float32 (n, k), cosine similarity; -inf where there is no neighbour.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]


def nearest(
    features: NDArray[np.float32], groups: NDArray[np.int64], k: int, seed: int = 0, reference: int = REFERENCE
) -> Neighbours:
    """Finds the nearest images of other groups by cosine similarity.

    Args:
        features: float32 (n, d), rows of unit length; rows of zeros (unreadable images) neither have neighbours nor are
            neighbours.
        groups: int64 (n,), the group of each row. Rows of the same group are not neighbours.
        k: Number of neighbours.
        seed: Seed of the sample if n exceeds `reference`.
        reference: Maximum number of images among which neighbours are searched.

    Returns:
        The neighbours. Memory is bounded by blocks of rows.
    """
    n = len(features)
    known = np.flatnonzero(features.any(axis=1))
    if len(known) > reference:
        known = np.sort(np.random.default_rng(seed).choice(known, reference, replace=False))
    rows = np.full((n, k), NO_ROW, np.int64)
    similarity = np.full((n, k), -np.inf, np.float32)
    if not len(known):
        return Neighbours(rows, similarity)
    others, own = features[known], groups[known]
    most = min(k, len(known))
    size = max(1, BLOCK // len(known))
    for start in range(0, n, size):
        block = slice(start, start + size)
        products = features[block] @ others.T
        products[groups[block, None] == own] = -np.inf
        products[~features[block].any(axis=1)] = -np.inf
        # the `most` largest of each row, then in order
        best = np.argpartition(products, len(known) - most, axis=1)[:, len(known) - most :]
        values = np.take_along_axis(products, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        values = np.take_along_axis(values, order, axis=1)
        similarity[block, :most] = values
        rows[block, :most] = np.where(np.isfinite(values), known[np.take_along_axis(best, order, axis=1)], NO_ROW)
    return Neighbours(rows, similarity)


def vote(neighbours: Neighbours, codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The probability of each class by the labels of the neighbours.

    The votes are weighted by similarity above that of the farthest neighbour (Dudani 1976, "The Distance-Weighted
    k-Nearest-Neighbor Rule", equation 1, plus a constant, so that all neighbours count) and smoothed by the shares of
    the classes. Thus an image without neighbours has the shares.

    Args:
        neighbours: The neighbours of n images.
        codes: int64 (n,), the class of each image; negative: without a label, which has no vote.
        classes: Number of classes.

    Returns:
        float64 (n, classes), rows sum to 1.
    """
    labels = np.where(neighbours.rows >= 0, codes[neighbours.rows], -1)
    counts = np.bincount(codes[codes >= 0], minlength=classes)
    shares = (counts + 1) / (counts + 1).sum()
    finite = np.where(labels >= 0, neighbours.similarity, np.nan)
    farthest = np.nanmin(np.where(labels >= 0, finite, np.inf), axis=1, keepdims=True, initial=np.inf)
    nearest_one = np.nanmax(np.where(labels >= 0, finite, -np.inf), axis=1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = (finite - farthest) / (nearest_one - farthest)
    weights = np.where(labels >= 0, 0.5 + 0.5 * np.nan_to_num(relative, nan=1.0, posinf=1.0, neginf=1.0), 0.0)
    votes = np.zeros((len(labels), classes))
    for code in range(classes):
        votes[:, code] = (weights * (labels == code)).sum(axis=1)
    votes += SMOOTHING * shares
    return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float64)
