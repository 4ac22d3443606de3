"""A 2-D map of embeddings: t-SNE (van der Maaten and Hinton, 2008) of a sample of the images, initialised with PCA.

Repulsion is interpolated on a grid and convolved by FFT (Linderman et al., Nature Methods 16, 2019), so that an
iteration takes time in proportion to the number of images. Attraction is to the nearest neighbours, all with the same
weight, which gives maps like those of a perplexity (Boehm et al., JMLR 23, 2022, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

COMPONENTS = 50  # of the PCA in which neighbours are searched
NEIGHBOURS, SHARE = 15, 12  # neighbours of each image, at most one SHAREth of the images: a clique would collapse
ITERATIONS, EARLY = 400, 150  # EARLY: iterations with exaggerated attraction and low momentum
EXAGGERATION = 12.0
MIN_GAIN = 0.01
MAX_STEP = 5.0  # of a coordinate per iteration
NODES = 3  # grid nodes per unit of the map, while it is small
MAX_GRID = 240  # grid nodes per side
BLOCK = 1024  # rows of a matrix of distances
LEAST = 3 * SHARE  # images; of fewer, the map has their first two principal components


@dataclass(frozen=True)
class EmbeddingMap:
    """Positions of images.

    Attributes:
        rows: int64 (m,), rows of the images, ascending.
        positions: float32 (m, 2), 0 to 1 in the longer direction.
        neighbours: int64 (m, k), for each image positions in `rows` of its nearest images, the nearest first.
    """

    rows: NDArray[np.int64]
    positions: NDArray[np.float32]
    neighbours: NDArray[np.int64]


def make_map(features: NDArray[np.float32], classes: NDArray[np.int64], most: int, seed: int = 0) -> EmbeddingMap:
    """The map of a sample of the images. It depends only on the arguments.

    Args:
        features: float32 (n, d), embeddings of unit length; rows of zeros (no embedding) are left out.
        classes: int64 (n,), class of each image, for the sample.
        most: Maximum number of images.
        seed: Seed of the sample.
    """
    rows = sample(classes, np.flatnonzero(np.any(features != 0, axis=1)), most, seed)
    if not len(rows):
        return EmbeddingMap(rows, np.empty((0, 2), np.float32), np.empty((0, 0), np.int64))
    reduced = principal_components(features[rows], COMPONENTS)
    neighbours = nearest_neighbours(reduced, min(NEIGHBOURS, max(len(rows) // SHARE, 3), len(rows) - 1))
    positions = np.zeros((len(rows), 2))
    positions[:, : reduced.shape[1]] = reduced[:, :2]
    if len(rows) >= LEAST:
        positions = tsne(positions, neighbours)
    positions -= positions.min(axis=0)
    return EmbeddingMap(rows, (positions / max(positions.max(), 1e-9)).astype(np.float32), neighbours)


def sample(classes: NDArray[np.int64], rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of the rows, int64, ascending: all images of small classes, a random sample of the large ones.

    Each class, and the images without a label, keeps at most the same number of images.
    """
    if len(rows) <= most:
        return rows
    codes, counts = np.unique(classes[rows], return_inverse=True, return_counts=True)[1:]
    # the largest number per class with which the sample is not larger than `most`
    low, high = 0, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= most else (low, middle - 1)
    order = np.random.default_rng(seed).permutation(len(rows))
    order = order[np.argsort(codes[order], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(rows)) - starts[codes[order]]
    return np.sort(rows[order[rank < low]])


def principal_components(features: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Coordinates in the first principal components, float32 (n, at most count); the sign of each is fixed."""
    centred = features - features.mean(axis=0)
    is_wide = centred.shape[0] < centred.shape[1]
    gram = (centred @ centred.T if is_wide else centred.T @ centred).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    first = np.argsort(-values)[:count]
    if is_wide:
        coordinates = vectors[:, first] * np.sqrt(np.maximum(values[first], 0))
    else:
        coordinates = centred @ vectors[:, first]
    largest = np.abs(coordinates).argmax(axis=0)
    signs = np.sign(coordinates[largest, np.arange(coordinates.shape[1])])
    return (coordinates * np.where(signs == 0, 1, signs)).astype(np.float32)


def nearest_neighbours(points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The nearest other points of each point by Euclidean distance, int64 (n, count), the nearest first."""
    squares = (points**2).sum(axis=1)
    found = np.empty((len(points), count), np.int64)
    if not count:
        return found
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        distances = squares - 2 * block @ points.T  # without the square of the point itself
        distances[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        found[start : start + BLOCK] = np.take_along_axis(near, order, axis=1)
    return found


def tsne(start: NDArray[np.float64], neighbours: NDArray[np.int64]) -> NDArray[np.float64]:
    """Positions, float64 (n, 2), by gradient descent.

    Args:
        start: float64 (n, 2), initial positions up to a factor.
        neighbours: int64 (n, k), nearest neighbours of each point.
    """
    count = len(neighbours)
    spread = float(start[:, 0].std())
    positions = start * (1e-2 / spread if spread > 1e-6 else 0.0)  # equal images have only rounding errors
    positions += np.random.default_rng(0).normal(0, 1e-4, positions.shape)  # separates equal points
    # symmetric affinities whose sum is 1
    edges = sparse.csr_array(
        (np.ones(neighbours.size), (np.repeat(np.arange(count), neighbours.shape[1]), neighbours.ravel())),
        shape=(count, count),
    )
    affinities = sparse.coo_array(edges + edges.T)
    weights = affinities.data / affinities.data.sum()
    graph = sparse.csr_array((weights, (affinities.row, affinities.col)), shape=(count, count))
    heads = np.repeat(np.arange(count), np.diff(graph.indptr))
    velocity, gains = np.zeros_like(positions), np.ones_like(positions)
    rate = count / EXAGGERATION  # Belkina et al., Nature Communications 10, 2019; more would diverge
    for iteration in range(ITERATIONS):
        is_early = iteration < EARLY
        gradient = -repulsion(positions)
        # attraction: sum over neighbours of p_ij (y_i - y_j) / (1 + |y_i - y_j|^2)
        between = positions[heads] - positions[graph.indices]
        pull = graph.data / (1 + (between**2).sum(axis=1)) * (EXAGGERATION if is_early else 1.0)
        for axis in range(2):
            gradient[:, axis] += np.bincount(heads, pull * between[:, axis], count)
        # gradient descent with momentum and a gain per coordinate, as in the reference implementation
        same = np.sign(gradient) == np.sign(velocity)
        gains = np.maximum(np.where(same, gains * 0.8, gains + 0.2), MIN_GAIN)
        velocity = (0.5 if is_early else 0.8) * velocity - 4 * rate * gains * gradient
        velocity = velocity.clip(-MAX_STEP, MAX_STEP)  # a neighbour of very many images would oscillate
        positions = positions + velocity
        positions -= positions.mean(axis=0)
    return positions


def repulsion(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The repulsive part of the gradient, float64 (n, 2): sum over j of q_ij^2 Z (y_i - y_j), see Linderman et al.

    With w = 1 / (1 + |y_i - y_j|^2), the sums over j of w^2, w^2 y_j and w^2 |y_j|^2 are convolutions of the point
    masses 1, y_j and |y_j|^2 with the kernel w^2. The masses are spread to grid nodes, convolved by FFT and read back.
    """
    low = positions.min(axis=0)
    extent = float((positions.max(axis=0) - low).max()) + 1e-6
    nodes = int(np.clip(np.ceil(extent * NODES), 16, MAX_GRID))
    spacing = extent / nodes
    side = nodes + 4  # one node before the first, and two after the last
    # Lagrange weights of the four nodes around each point
    cell = np.floor((positions - low) / spacing).astype(np.int64)
    along = (positions - low) / spacing - cell
    weights = np.stack(
        [
            -along * (along - 1) * (along - 2) / 6,
            (along + 1) * (along - 1) * (along - 2) / 2,
            -(along + 1) * along * (along - 2) / 2,
            (along + 1) * along * (along - 1) / 6,
        ],
        axis=2,
    )  # (n, axis, node)
    offsets = np.arange(4)
    at = (cell[:, 0, None] + offsets)[:, :, None] * side + (cell[:, 1, None] + offsets)[:, None, :]
    weight = (weights[:, 0, :, None] * weights[:, 1, None, :]).reshape(len(positions), 16)
    at = at.reshape(len(positions), 16)
    squared = (positions**2).sum(axis=1)
    masses = (np.ones(len(positions)), positions[:, 0], positions[:, 1], squared)
    grids = np.stack(
        [np.bincount(at.ravel(), (weight * mass[:, None]).ravel(), side * side) for mass in masses]
    ).reshape(4, side, side)
    # circular convolution with the kernel, on a grid of twice the size
    size = fft.next_fast_len(2 * side, real=True)
    distance = np.minimum(np.arange(size), size - np.arange(size)) * spacing
    kernel = (1 + distance[:, None] ** 2 + distance[None, :] ** 2) ** -2.0
    spectrum = fft.rfft2(grids, (size, size)) * fft.rfft2(kernel)
    fields = fft.irfft2(spectrum, (size, size))[:, :side, :side].reshape(4, -1)
    total, first, second, square = (np.einsum("nk,nk->n", weight, field[at]) for field in fields)
    moments = np.column_stack([first, second])
    # Z, the sum of w over all pairs, from w = w^2 (1 + |y_i|^2 + |y_j|^2 - 2 y_i y_j)
    normaliser = ((1 + squared) * total - 2 * (positions * moments).sum(axis=1) + square).sum() - len(positions)
    return (positions * total[:, None] - moments) / max(normaliser, 1e-12)
