"""Aligns pairs of thumbnails: finds the part of one image that another, slightly cropped image shows.

An alignment is float32 (pairs, 4): scale and shift of the rows, scale and shift of the columns. Pixel (y, x) of the
second image, relative to the middle, is pixel (scale * y + shift, scale * x + shift) of the first one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SCALES = (0.85, 1 / 0.85)  # bounds of the scale: a crop of 15 % of either image
SHIFT = 0.08  # largest shift as a share of the side
DAMPING = 1e-3  # of the normal equations, for images without texture
LARGEST_STEP = (0.05, 1.5)  # of scale and shift in one iteration


def identity(pairs: int) -> Floats:
    """The alignment of equal images."""
    return np.tile(np.array([1, 0, 1, 0], np.float32), (pairs, 1))


def as_floats(pixels: NDArray[np.uint8]) -> Floats:
    """Pixels from 0 to 1."""
    return np.asarray(pixels, dtype=np.float32) / np.float32(255)


def halved(images: Floats) -> Floats:
    """Images (n, H, W, C) at half their size; H and W are even."""
    n, height, width, channels = images.shape
    return images.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4), dtype=np.float32)


def warp(images: Floats, alignment: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Samples images at the positions of an alignment, linearly.

    Args:
        images: float32 (n, H, W, C), the first images of the pairs.
        alignment: float32 (n, 4).

    Returns:
        The samples, float32 (n, H, W, C), and which of them are inside the image, bool (n, H, W).
    """
    rows, in_rows = _sample(images, alignment[:, 0], alignment[:, 1])
    columns, in_columns = _sample(rows.transpose(0, 2, 1, 3), alignment[:, 2], alignment[:, 3])
    return columns.transpose(0, 2, 1, 3), in_rows[:, :, None] & in_columns[:, None, :]


def _sample(images: Floats, scale: Floats, shift: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Samples images (n, H, W, C) along the rows; also which rows are inside, bool (n, H)."""
    count, height = images.shape[:2]
    middle = (height - 1) / 2
    position = scale[:, None] * (np.arange(height, dtype=np.float32) - middle) + middle + shift[:, None]
    is_inside = (position >= -0.5) & (position <= height - 0.5)
    position = position.clip(0, height - 1.001)
    below = position.astype(np.int64)
    share = (position - below).astype(np.float32)[:, :, None, None]
    pair = np.arange(count)[:, None]
    low, high = images[pair, below], images[pair, below + 1]
    return low + (high - low) * share, is_inside


def align(first: Floats, second: Floats, start: Floats, steps: int) -> Floats:
    """Improves alignments by Gauss-Newton iterations on the squared differences of the pixels.

    Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 56, 2004: the forward additive algorithm.

    Args:
        first: float32 (n, H, W, C), 0 to 1.
        second: float32 (n, H, W, C).
        start: float32 (n, 4).
        steps: Number of iterations.
    """
    count, height, width, _ = first.shape
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[None, :, None, None]
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, None, :, None]
    largest = np.array(LARGEST_STEP * 2, np.float32)
    low = np.array([SCALES[0], -SHIFT * height, SCALES[0], -SHIFT * width], np.float32)
    high = np.array([SCALES[1], SHIFT * height, SCALES[1], SHIFT * width], np.float32)
    alignment = start
    for _ in range(steps):
        # residual at the current alignment, and its derivatives by the four parameters
        warped, is_inside = warp(first, alignment)
        inside = is_inside[..., None].astype(np.float32)
        along_y, along_x = np.gradient(warped, axis=(1, 2))
        along_y /= alignment[:, 0, None, None, None]
        along_x /= alignment[:, 2, None, None, None]
        jacobian = np.stack([along_y * y, along_y, along_x * x, along_x], axis=-1) * inside[..., None]
        jacobian = jacobian.reshape(count, -1, 4)
        residual = ((second - warped) * inside).reshape(count, -1, 1)
        # solve the damped normal equations, limit the step
        transposed = jacobian.transpose(0, 2, 1)
        matrix = transposed @ jacobian + DAMPING * np.eye(4, dtype=np.float32)
        step = np.linalg.solve(matrix, transposed @ residual)[:, :, 0]
        alignment = (alignment + step.clip(-largest, largest)).clip(low, high).astype(np.float32)
    return alignment


def align_coarse_to_fine(first: Floats, second: Floats, steps: int = 3) -> Floats:
    """Alignments of images (n, H, W, C), first at half the size, then at the full size. Arguments: see align."""
    alignment = align(halved(first), halved(second), identity(len(first)), steps)
    return align(first, second, resized(alignment, 2), steps)


def resized(alignment: Floats, factor: float) -> Floats:
    """The alignment of the same images at `factor` times the size."""
    return alignment * np.array([1, factor, 1, factor], np.float32)


def root_mean_square(first: Floats, second: Floats, alignment: Floats) -> Floats:
    """Root mean square difference of the aligned pixels that both images show, float32 (n,). Arguments: see align."""
    warped, is_inside = warp(first, alignment)
    squares = ((warped - second) ** 2).mean(axis=3) * is_inside
    return np.asarray(np.sqrt(squares.sum((1, 2)) / is_inside.sum((1, 2)).clip(1)), dtype=np.float32)


def common_boxes(alignment: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The part that both images show, in each of them.

    Args:
        alignment: (n, 4), of images of 1 x 1 pixels: shifts are shares of the sides.

    Returns:
        Left, top, right, bottom as shares of the first and of the second image, float64 (n, 4).
    """
    first, second = np.empty((len(alignment), 4)), np.empty((len(alignment), 4))
    for axis, (scale, shift) in enumerate(((2, 3), (0, 1))):  # x, then y
        a, b = alignment[:, scale].astype(float), alignment[:, shift].astype(float)
        # position p of the second image is a * (p - 0.5) + 0.5 + b of the first; both are between 0 and 1
        low, high = np.maximum(0, (0 - 0.5 - b) / a + 0.5), np.minimum(1, (1 - 0.5 - b) / a + 0.5)
        second[:, axis], second[:, axis + 2] = low, high
        first[:, axis], first[:, axis + 2] = (a * (edge - 0.5) + 0.5 + b for edge in (low, high))
    return first.clip(0, 1), second.clip(0, 1)
