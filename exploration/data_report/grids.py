"""Images of the page: sample grids per class, thumbnails by row, and sheets of small images for the map."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from exploration.data_report.report_data import ReportData
from model.data.table import Table
from model.evaluation.report.thumbnails import (
    BATCH,
    BLURRED_SIDE,
    LONGEST_SIDE,
    Thumbnail,
    blurred,
    image_thumbnail,
    image_uri,
    small_image,
)

SHEET_SIDE = 32  # images per side of a sheet
TILE_SIDES = (96, 72, 56, 48, 40, 32, 28)  # pixels of an image in a sheet, of which the largest that fits is used
TILE_CHARACTERS = 0.45  # of a data: URI per pixel of a sheet, measured: photographs 0.35 to 0.45
NONE, BLURRED = "none", "blurred"  # values of the setting `thumbnails`


@dataclass(frozen=True)
class Sheets:
    """Small images side by side.

    Attributes:
        side: Width and height of one image in pixels; 0 without images.
        columns: Images per row of a sheet.
        uris: The sheets as data: URIs, each of SHEET_SIDE * SHEET_SIDE images, the last one of fewer.
        sizes: Width and height of each image, which is in the middle of its square; 0 and 0 if it is unreadable.
    """

    side: int
    columns: int
    uris: list[str]
    sizes: list[tuple[int, int]]


def sample_rows(groups: np.ndarray, rows: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """At most `count` of the rows in random order; images of different groups come first.

    Args:
        groups: int64 (n,), group of each image.
        rows: int64, the rows to draw from.
        count: Number of rows to draw.
        rng: Source of the random order.
    """
    order = rng.permutation(rows)
    # the number of earlier images of the same group: first those with 0, then those with 1 ...
    by_group = np.argsort(groups[order], kind="stable")
    starts = np.flatnonzero(np.diff(groups[order][by_group], prepend=-1))
    earlier = np.empty(len(order), np.int64)
    earlier[by_group] = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return order[np.argsort(earlier, kind="stable")[:count]].tolist()


def class_samples(data: ReportData, classes: np.ndarray, count: int, seed: int) -> dict[int, list[int]]:
    """Rows of sample images of the channel by class, ascending.

    Args:
        data: The images.
        classes: int64 (n,), class of each image, negative if its label is missing.
        count: Images per class.
        seed: Seed of the samples. The sample of a class does not depend on other classes.
    """
    groups, samples = data.group_codes, {}
    order = np.argsort(classes, kind="stable")
    order = order[data.in_channel[order] & (classes[order] >= 0)]
    codes, starts = np.unique(classes[order], return_index=True)
    for code, rows in zip(codes.tolist(), np.split(order, starts[1:]) if len(codes) else []):
        samples[code] = sample_rows(groups, rows, count, np.random.default_rng([seed, code]))
    return samples


def interleaved(samples: Iterable[Sequence[int]]) -> list[int]:
    """The first image of each sample, then the second of each, and so on."""
    lists = list(samples)
    longest = max(map(len, lists), default=0)
    return [own[at] for at in range(longest) for own in lists if at < len(own)]


def thumbnails_of(
    table: Table, rows: Sequence[int], characters: int, thumbnails: str, side: int = LONGEST_SIDE
) -> dict[int, Thumbnail]:
    """Thumbnails by row, of the first rows that fit; unreadable images are skipped.

    Args:
        table: The images.
        rows: Rows, the most important first; a row for each time that the page shows the image.
        characters: Largest length of all URIs together, each as often as the page has it.
        thumbnails: The setting `thumbnails`; for `none` the result is empty.
        side: Longest side in pixels.
    """
    if thumbnails == NONE:
        return {}
    made: dict[int, Thumbnail] = {}
    times = Counter(rows)
    distinct = list(times)

    def make(row: int) -> Thumbnail | None:
        return image_thumbnail(table.root, table.locations[row], side, blur=thumbnails == BLURRED)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(distinct), BATCH):
            batch = distinct[start : start + BATCH]
            for row, thumbnail in zip(batch, pool.map(make, batch)):
                if thumbnail is None:
                    continue
                characters -= len(thumbnail.uri) * times[row]
                if characters < 0:
                    return made
                made[row] = thumbnail
    return made


def make_sheets(table: Table, rows: Sequence[int], characters: int, thumbnails: str) -> Sheets:
    """Sheets of small images, of all rows, in their order; an unreadable image is an empty tile.

    Args:
        table: The images.
        rows: Their rows.
        characters: Approximate length of all URIs together, by which the size of the images is chosen.
        thumbnails: The setting `thumbnails`; for `none` there are no sheets.
    """
    if thumbnails == NONE or not len(rows):
        return Sheets(0, SHEET_SIDE, [], [])
    blur = thumbnails == BLURRED
    room = math.sqrt(characters / len(rows) / TILE_CHARACTERS)
    side = BLURRED_SIDE if blur else next((side for side in TILE_SIDES if side <= room), TILE_SIDES[-1])

    def make(row: int) -> Image.Image | None:
        image = small_image(table.root, table.locations[row], max(side, 2 * BLURRED_SIDE))
        return blurred(image) if blur and image is not None else image

    uris, sizes, per_sheet = [], [], SHEET_SIDE * SHEET_SIDE
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), per_sheet):
            batch = list(rows[start : start + per_sheet])
            sheet = Image.new("RGB", (SHEET_SIDE * side, math.ceil(len(batch) / SHEET_SIDE) * side), (128, 128, 128))
            for at, image in enumerate(pool.map(make, batch)):
                sizes.append((0, 0) if image is None else image.size)
                if image is not None:
                    corner = ((side - image.width) // 2, (side - image.height) // 2)
                    left, top = at % SHEET_SIDE * side, at // SHEET_SIDE * side
                    sheet.paste(image, (left + corner[0], top + corner[1]))
            uris.append(image_uri(sheet, "PNG" if blur else "JPEG"))
    return Sheets(side, SHEET_SIDE, uris, sizes)
