"""The pixel range of a data set whose images have more than 8 bits per channel, estimated from a sample of images.

Warns if images do not fit the range.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from model.data.table import Table
from model.errors import listing
from model.images.decode import UnreadableImage, deep_values, image_source
from model.images.pixel_range import (
    HIGH,
    LOW,
    SHARES,
    SMALL_PART,
    PixelRange,
    common_range,
    pixel_quantiles,
    share_beyond,
)

SAMPLE = 1000  # maximum number of images to read per channel
MUCH_CLIPPED = 0.01  # share of clipped pixels from which on clipping is visible in an image

log = logging.getLogger("rarebird")


def sample_pixels(table: Table, seed: int, workers: int = 1) -> Table:
    """Adds the pixel quantiles of at most SAMPLE deep images, chosen at random, to the contents of a table.

    A table without deep images is returned unchanged, without reading any image.

    Args:
        table: The table, whose images have been checked.
        seed: Seed of the random choice.
        workers: Number of threads.
    """
    contents = table.contents
    if contents is None or not contents.is_deep.any():
        return table
    rows = np.flatnonzero(contents.is_deep)
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))

    def quantiles(row: int) -> np.ndarray | None:
        try:
            deep = deep_values(image_source(table.root, table.locations[row]))
        except UnreadableImage:
            return None
        return None if deep is None else np.array([deep[1], *pixel_quantiles(deep[0])])

    pixels = np.full((len(table), 1 + len(SHARES)), np.nan, np.float32)
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="pixels") as pool:
        for row, sampled in zip(rows, pool.map(quantiles, rows.tolist())):
            if sampled is not None:
                pixels[row] = sampled
    return replace(table, contents=replace(contents, pixels=pixels))


def find_range(table: Table) -> PixelRange | None:
    """The pixel range of the sampled images of a table; None if none was sampled, as for 8-bit data."""
    rows = _sampled_rows(table)
    if not len(rows):
        return None
    assert table.contents is not None and table.contents.pixels is not None
    pixels = table.contents.pixels[rows]
    return common_range(pixels[:, 1:], is_float=bool(pixels[:, 0].any()))


def _sampled_rows(table: Table) -> np.ndarray:
    if table.contents is None or table.contents.pixels is None:
        return np.empty(0, np.int64)
    return np.flatnonzero(~np.isnan(table.contents.pixels[:, 0]))


def log_range(table: Table, pixel_range: PixelRange) -> None:
    """Logs the range by which the deep images of a table are scaled, and warns if images do not fit it."""
    rows = _sampled_rows(table)
    if len(rows):
        low, high = pixel_range
        deep = int(table.contents.is_deep.sum()) if table.contents else 0
        images = "1 image" if deep == 1 else f"{deep:,} images"
        log.info("%s of more than 8 bits per channel: pixel values %.6g to %.6g become 0 to 255", images, low, high)
        for warning in range_warnings(table, pixel_range):
            log.warning("%s", warning)


def range_warnings(table: Table, pixel_range: PixelRange) -> Iterator[str]:
    """Yields a warning if images are visibly clipped, and one if the images use only a small part of the range."""
    rows = _sampled_rows(table)
    assert table.contents is not None and table.contents.pixels is not None
    quantiles = table.contents.pixels[rows, 1:]
    low, high = pixel_range
    beyond = share_beyond(quantiles, pixel_range)
    clipped = np.flatnonzero(beyond > MUCH_CLIPPED)
    if len(clipped):
        examples = listing((_described(table, rows, beyond, row) for row in clipped[np.argsort(-beyond[clipped])]), 3)
        yield (
            f"pixel values outside {low:.6g} to {high:.6g} are clipped; in {len(clipped):,} of {len(rows):,} sampled "
            f"images that is more than {MUCH_CLIPPED:.0%} of the pixels: {examples}; --pixel_range LOW HIGH sets "
            "another range"
        )
    used = float(np.median(np.minimum(quantiles[:, HIGH], high) - np.maximum(quantiles[:, LOW], low)))
    if used < SMALL_PART * (high - low):
        lows, highs = np.median(quantiles[:, LOW]), np.median(quantiles[:, HIGH])
        yield (
            f"the images use only a small part of the pixel range {low:.6g} to {high:.6g}, mostly {lows:.6g} to "
            f"{highs:.6g}, which leaves few grey levels; --pixel_range LOW HIGH sets another range"
        )


def _described(table: Table, rows: np.ndarray, beyond: np.ndarray, row: int) -> str:
    return f"{table.locations[int(rows[row])].path} ({beyond[row]:.0%})"
