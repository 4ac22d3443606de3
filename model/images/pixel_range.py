"""The range of pixel values that becomes 0 to 255 for images of more than 8 bits per channel.

It is estimated from quantiles, so that single pixels and single images do not change it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PixelRange = tuple[float, float]  # the values that become 0 and 255; those beyond are clipped

# Quantiles that are kept of an image's pixels, and those that are used as its darkest and brightest pixels
SHARES = (0.0, 0.002, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.998, 1.0)
LOW, HIGH = SHARES.index(0.002), SHARES.index(0.998)
SAMPLED_PIXELS = 1 << 20  # of a larger image, every n-th pixel

IGNORED = 0.02  # share of the brightest (and of the darkest) images that is ignored
TEN = 10  # with at least this many images, at least one on each side is ignored
USUAL_TOPS = (1.0, 255.0, 65535.0)  # usual maximum values of floats
OVERSHOOT = 1.05  # factor by which floats may exceed a usual maximum: resampling overshoots at edges
SMALL_PART = 1 / 16  # share of a range below which only four of eight bits would be used


def pixel_quantiles(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """The SHARES-quantiles of an image's finite pixels, float64 (len(SHARES),); zeros if no pixel is finite."""
    flat = values.reshape(-1)
    flat = flat[:: max(1, len(flat) // SAMPLED_PIXELS)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    return np.quantile(flat, SHARES) if len(flat) else np.zeros(len(SHARES))


def common_range(quantiles: NDArray[np.floating], is_float: bool) -> PixelRange:
    """The common range of n images.

    For integers of at least 0 it is the range of the bits that they use (0 to 4095 for 12 bits), at least 8 bits. For
    floats it is 0 to 1, 0 to 255 or 0 to 65535, if they use more than SMALL_PART of it. Otherwise it is the range
    between their quantiles.

    Args:
        quantiles: float (n, len(SHARES)), one row per image, from pixel_quantiles.
        is_float: Whether the pixels of any image are floats.
    """
    low, high = _without_outliers(-quantiles[:, LOW]) * -1, _without_outliers(quantiles[:, HIGH])
    from_zero = low >= -(OVERSHOOT - 1) * high and high > 0
    if not is_float and low >= 0:
        bits = max(8, int(np.ceil(high)).bit_length())
        return 0.0, float(2**bits - 1)
    if is_float and from_zero:
        for top in USUAL_TOPS:
            if top * SMALL_PART < high <= top * OVERSHOOT:
                return 0.0, top
    return low, high if high > low else low + 1.0


def _without_outliers(values: NDArray[np.floating]) -> float:
    """The maximum of the values without the largest ones, which may be outliers."""
    ignored = max(int(IGNORED * len(values)), 1 if len(values) >= TEN else 0)
    return float(np.sort(values)[len(values) - 1 - ignored])


def share_beyond(quantiles: NDArray[np.floating], pixel_range: PixelRange) -> NDArray[np.float64]:
    """Share of each image's pixels outside the range, float64 (n,), interpolated between its quantiles.

    Args:
        quantiles: float (n, len(SHARES)), one row per image, from pixel_quantiles.
        pixel_range: The range.
    """
    low, high = pixel_range
    shares = np.array(SHARES)
    beyond = np.zeros(len(quantiles))
    for row, values in enumerate(np.asarray(quantiles, np.float64)):
        # np.interp expects increasing values; for equal values it returns the share of the last one
        above = 1 - np.interp(high, values, shares) if values[-1] > high else 0.0
        below = float(np.interp(low, values, shares)) if values[0] < low else 0.0
        beyond[row] = above + below
    return beyond


def eight_bits(values: NDArray[np.generic], pixel_range: PixelRange) -> NDArray[np.uint8]:
    """Scales values so that the range becomes 0 to 255, rounded and clipped. NaN becomes 0.

    Changes float64 values in place.
    """
    low, high = pixel_range
    scaled = np.nan_to_num(values.astype(np.float64, copy=False), copy=False, nan=low, posinf=high, neginf=low)
    return to_uint8(scaled, low, high - low)


def to_uint8(values: NDArray[np.float64], low: float, span: float) -> NDArray[np.uint8]:
    """Scales values to 0 to 255, rounded and clipped.

    Args:
        values: Finite values, which are changed in place.
        low: The value that becomes 0.
        span: low + span becomes 255.
    """
    values -= low
    values *= 255 / span
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    return values.astype(np.uint8)
