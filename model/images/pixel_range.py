"""The range of pixel values that becomes 0 to 255 for images of more than 8 bits a channel: found by quantiles, which
single pixels and single images cannot turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PixelRange = tuple[float, float]  # the values that become 0 and 255; those beyond are clipped

# Shares of an image's pixels of which quantiles are kept, and those that stand for its darkest and brightest pixels
SHARES = (0.0, 0.002, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.998, 1.0)
LOW, HIGH = SHARES.index(0.002), SHARES.index(0.998)
SAMPLED_PIXELS = 1 << 20  # of a larger image, every n-th pixel

LEFT_OUT = 0.02  # share of the brightest (and of the darkest) images that do not count: at least one of ten or more
TEN = 10
USUAL_TOPS = (1.0, 255.0, 65535.0)  # of floats
OVERSHOOT = 1.05  # by which floats may exceed a usual top: resampling overshoots at edges
SMALL_PART = 1 / 16  # of a range: four of eight bits


def pixel_quantiles(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """The quantiles of SHARES of an image's finite pixels, float64 (len(SHARES),); zeros if none is finite."""
    flat = values.reshape(-1)
    flat = flat[:: max(1, len(flat) // SAMPLED_PIXELS)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    return np.quantile(flat, SHARES) if len(flat) else np.zeros(len(SHARES))


def common_range(quantiles: NDArray[np.floating], is_float: bool) -> PixelRange:
    """One range for images.

    Integers from 0 get the range of the bits that they use (0 to 4095 for 12 bits), at least 8. Floats get 0 to 1, 0 to
    255 or 0 to 65535 where they use more than a small part of it. Other values get the range between their quantiles.

    Args:
        quantiles: float (n, len(SHARES)), a row per image, as pixel_quantiles gives them.
        is_float: Whether the pixels of some image are floats.
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
    """The greatest value after leaving out those of single images."""
    left_out = max(int(LEFT_OUT * len(values)), 1 if len(values) >= TEN else 0)
    return float(np.sort(values)[len(values) - 1 - left_out])


def share_beyond(quantiles: NDArray[np.floating], pixel_range: PixelRange) -> NDArray[np.float64]:
    """Share of each image's pixels outside the range, float64 (n,), interpolated between its quantiles."""
    low, high = pixel_range
    shares = np.array(SHARES)
    beyond = np.zeros(len(quantiles))
    for row, values in enumerate(np.asarray(quantiles, np.float64)):
        # interp takes rising values: of equal ones, the last share is right below and the first above
        above = 1 - np.interp(high, values, shares) if values[-1] > high else 0.0
        below = float(np.interp(low, values, shares)) if values[0] < low else 0.0
        beyond[row] = above + below
    return beyond


def eight_bits(values: NDArray[np.generic], pixel_range: PixelRange) -> NDArray[np.uint8]:
    """Values scaled so that the range becomes 0 to 255, rounded and clipped; NaN becomes 0. float64 values are changed
    in place."""
    low, high = pixel_range
    scaled = np.nan_to_num(values.astype(np.float64, copy=False), copy=False, nan=low, posinf=high, neginf=low)
    return to_uint8(scaled, low, high - low)


def to_uint8(values: NDArray[np.float64], low: float, span: float) -> NDArray[np.uint8]:
    """Finite values, changed in place, scaled so that low becomes 0 and low + span becomes 255, rounded and clipped."""
    values -= low
    values *= 255 / span
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    return values.astype(np.uint8)
