"""Statistics of each image (size, brightness, contrast, blur, format) and the images whose statistics are unusual."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from exploration.image_pass import read_images
from model.data.content_index import read_array, write_array
from model.data.table import Table
from model.images.decode import read_header, read_source
from model.runtime.terminal import progress_bar

CACHE = "image_statistics.npy"  # in the cache folder: keys of contents and the statistics, float64 bits as uint64
SIDE = 256  # longest side in pixels at which brightness, contrast and blur are measured; images are not enlarged
GREY_SIDE, GREY_LEVELS = 32, 3  # an RGB image is grey if at this size no channels differ by more than these levels
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL's conversion to L
UNUSUAL = 5.0  # robust standard deviations from the median from which on a value is unusual
MAD_TO_SD = 1.4826  # standard deviation of a normal distribution per median absolute deviation
ODDITIES = {
    "grey": "grey, stored as RGB",
    "alpha": "has transparency",
    "cmyk": "CMYK",
    "deep": "more than 8 bits per channel",
    "animated": "several frames or pages",
}


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of n images, aligned with the rows of a table; all float64 (n,), NaN if an image is unreadable.

    Attributes:
        width, height: Pixels of the upright image.
        brightness: Mean luma, 0 to 255.
        contrast: Standard deviation of the luma.
        blur: Variance of the Laplacian of the luma at SIDE pixels; the lower, the more blurred.
        bytes: Size of the file.
        grey, alpha, cmyk, deep, animated: 1 if the image has this oddity (ODDITIES), otherwise 0.
    """

    width: NDArray[np.float64]
    height: NDArray[np.float64]
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    blur: NDArray[np.float64]
    bytes: NDArray[np.float64]
    grey: NDArray[np.float64]
    alpha: NDArray[np.float64]
    cmyk: NDArray[np.float64]
    deep: NDArray[np.float64]
    animated: NDArray[np.float64]


NAMES = tuple(field.name for field in fields(ImageStatistics))


@dataclass(frozen=True)
class UnusualImage:
    """An image with an unusual statistic.

    Attributes:
        row: Row in the table.
        kind: dark, bright, low contrast, blurred, aspect ratio or tiny.
        value: The statistic.
        deviations: Robust standard deviations from the median of all images.
        reason: A sentence with the value and the median.
    """

    row: int
    kind: str
    value: float
    deviations: float
    reason: str


@dataclass(frozen=True)
class _Check:
    """How a kind of unusual image is found.

    Attributes:
        kind: Name of the kind.
        side: -1 if low values are unusual, 1 if high ones are, 0 if both are.
        log: Whether the values are compared by their logarithms.
        floor: Least robust standard deviation, in case all values are nearly the same.
        least: Least difference from the median.
        text: Format of the reason, with the value and the median.
    """

    kind: str
    side: int
    log: bool
    floor: float
    least: float
    text: str


CHECKS = {
    "dark": _Check("dark", -1, False, 4.0, 50.0, "mean brightness {:.0f} of 255; the median is {:.0f}"),
    "bright": _Check("bright", 1, False, 4.0, 50.0, "mean brightness {:.0f} of 255; the median is {:.0f}"),
    "low contrast": _Check("low contrast", -1, False, 3.0, 20.0, "standard deviation of luma {:.0f}; median {:.0f}"),
    "blurred": _Check("blurred", -1, True, 0.2, np.log(4), "variance of the Laplacian {:.1f}; the median is {:.1f}"),
    "aspect ratio": _Check("aspect ratio", 0, True, 0.04, np.log(1.5), "width / height {:.2f}; the median is {:.2f}"),
    "tiny": _Check("tiny", -1, True, 0.15, np.log(3), "{:,.0f} pixels on average per side; the median is {:,.0f}"),
}


def image_statistics(table: Table, cache: Path | None = None, workers: int = -1) -> ImageStatistics:
    """Computes the statistics of all images of a table, in threads.

    Args:
        table: The images. With `contents`, the statistics of known contents are read from the cache.
        cache: Folder of caches; None to cache nothing.
        workers: Number of threads; -1: one per core.

    Returns:
        The statistics, rows of NaN for unreadable images.
    """
    values = np.full((len(table), len(NAMES)), np.nan)
    keys = np.zeros(len(table), np.uint64) if table.contents is None else table.contents.keys.copy()
    file = None if cache is None else cache / CACHE
    known = read_array(file, 1 + len(NAMES))
    if len(known):
        positions = np.searchsorted(known[:, 0], keys).clip(max=len(known) - 1)
        hits = (known[positions, 0] == keys) & (keys != 0)
        values[hits] = known[positions[hits], 1:].view(np.float64)
    rows = np.flatnonzero(np.isnan(values[:, 0]))
    try:
        with progress_bar("statistics of images", len(rows)) as bar:
            for row, found in zip(rows.tolist(), read_images(table, rows, statistics_of, workers, "statistics")):
                if found is not None:
                    keys[row], values[row] = found
                bar.update()
    finally:  # an interrupted pass saves its results too
        new = rows[~np.isnan(values[rows, 0])]
        if file is not None and len(new):
            merged = np.concatenate([np.column_stack([keys[new], values[new].view(np.uint64)]), known])
            write_array(file, merged[np.unique(merged[:, 0], return_index=True)[1]])
    return ImageStatistics(*np.ascontiguousarray(values.T))


def statistics_of(content: bytes) -> NDArray[np.float64]:
    """Statistics of an encoded image in the order of NAMES, float64. Raises UnreadableImage."""
    is_deep = read_header(content).is_deep
    image = read_source(content, draft=(SIDE, SIDE))
    # the decoder may have reduced a JPEG: the header has the size, before the image is made upright
    width, height = read_header(content).size
    if (width - height) * (image.width - image.height) < 0:
        width, height = height, width
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    pixels = np.asarray(image, dtype=np.float32)
    luma = pixels @ np.array(LUMA, np.float32)
    measured = (luma.mean(), luma.std(), laplacian_variance(luma), len(content))
    return np.array([width, height, *measured, *_oddities(content, image, is_deep)], dtype=np.float64)


def laplacian_variance(luma: NDArray[np.float32]) -> float:
    """Variance of the Laplacian, by the kernel 0 1 0 / 1 -4 1 / 0 1 0; 0 if a side has less than 3 pixels."""
    if min(luma.shape) < 3:
        return 0.0
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def _oddities(content: bytes, image: Image.Image, is_deep: bool) -> tuple[bool, ...]:
    """Whether an image has each of ODDITIES. image: decoded, RGB."""
    try:
        header = Image.open(io.BytesIO(content))
        mode, alpha, frames = header.mode, header.has_transparency_data, getattr(header, "n_frames", 1)
        frames = 1 if header.format == "MPO" else frames  # a JPEG of a phone with a preview
    except Exception:  # a TIFF that PIL has no mode for
        mode, alpha, frames = "", False, 1
    small = np.asarray(image.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX), dtype=np.int16)
    is_grey = mode in ("RGB", "RGBA") and int(np.ptp(small, axis=2).max()) <= GREY_LEVELS
    return is_grey, alpha, mode == "CMYK", is_deep, frames > 1


def unusual_images(statistics: ImageStatistics) -> list[UnusualImage]:
    """Images whose brightness, contrast, blur, aspect ratio or size is far from that of most images.

    The distance from the median is measured in robust standard deviations, 1.4826 times the median absolute deviation
    (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).

    Returns:
        The most unusual images of each kind first, in the order of CHECKS.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "dark": statistics.brightness,
            "bright": statistics.brightness,
            "low contrast": statistics.contrast,
            "blurred": statistics.blur,
            "aspect ratio": statistics.width / statistics.height,
            "tiny": np.sqrt(statistics.width * statistics.height),
        }
    return [unusual for kind, check in CHECKS.items() for unusual in _outliers(values[kind], check)]


def _outliers(values: NDArray[np.float64], check: _Check) -> list[UnusualImage]:
    """The images whose values are outliers, by decreasing distance from the median."""
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    scaled = np.log(np.maximum(values, 1e-3)) if check.log else values
    middle = float(np.nanmedian(scaled))
    spread = max(MAD_TO_SD * float(np.nanmedian(np.abs(scaled - middle))), check.floor)
    difference = np.abs(scaled - middle) if check.side == 0 else check.side * (scaled - middle)
    limit = max(check.least, UNUSUAL * spread)
    rows = np.flatnonzero(difference > limit)  # NaN is not greater
    median = float(np.median(known))
    return [
        UnusualImage(row, check.kind, float(values[row]), float(difference[row] / spread),
                     check.text.format(values[row], median))
        for row in rows[np.argsort(-difference[rows], kind="stable")].tolist()
    ]  # fmt: skip
