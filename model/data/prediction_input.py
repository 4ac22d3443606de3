"""Input of inference: the rows of info.csv, or all images of a folder, with where each row's image lies; a
host of several takes its part of the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.data.image_locations import ImageLocations
from model.data.readers.channel_files import (
    OUTSIDE_LINKS,
    ChannelFiles,
    count_by_suffix,
    has_content,
    is_image,
    outside_links_text,
    warn_skipped,
)
from model.data.readers.csv_table import has_picture_column, picture_column_of, read_csv
from model.data.readers.detect import choose_table
from model.errors import InputError, Problems, listing
from model.labels import normal_text

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class PredictionInput:
    """The images to predict, one row per image.

    Attributes:
        rows: The table as text, all columns, in the order of the file; a RangeIndex.
        name_column: Column that names the images.
        locations: Where each row's image lies.
    """

    rows: pd.DataFrame
    name_column: str
    locations: ImageLocations

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Sequence[int] | np.ndarray) -> PredictionInput:
        """These rows alone, in this order."""
        at = np.asarray(rows, dtype=np.int64)
        return PredictionInput(self.rows.iloc[at].reset_index(drop=True), self.name_column, self.locations.take(at))

    def part(self, index: int, count: int) -> PredictionInput:
        """The rows of one host of several: every count-th, from `index` on."""
        return self.take(range(index, len(self), count))


def read_info(
    root: Path, *, table: str | None = None, picture_column: str | None = None, follow_links: bool = False
) -> PredictionInput:
    """Reads what is to be predicted in the channel at root.

    Every row is kept, duplicates too. A row whose image does not exist has the path at which it was expected, one
    outside the channel a path that leaves it, an empty name the path "": reading such an image raises
    UnreadableImage with the reason.

    Args:
        root: Folder of the channel.
        table: Name of the CSV; by default info.csv, else the only CSV. In a folder without a CSV, every image below
            root is a row, sorted, in a column ImageID.
        picture_column: Column that names the images; by default ImageID, image_name or path.
        follow_links: Whether links that lead out of the channel are followed.

    Raises:
        InputError: There is no such channel, nothing in it, no image but behind links that lead out of it, no column of
            image names, or the table is damaged.
    """
    root = Path(root)
    problems = Problems(str(root))
    files = ChannelFiles(root, follow_links)
    if not has_content(files, problems):
        problems.raise_if_any()
    csvs = [name for name in files.folder().names("file") if name.lower().endswith(".csv")]
    if table is None and not csvs:
        return _all_images(files)
    candidates = [name for name in csvs if has_picture_column(root / name, picture_column)] or csvs
    name = choose_table(files, table, candidates, ("info.csv",), problems)
    text_table = read_csv(root / name, problems) if name else None
    column = picture_column_of(text_table, picture_column, problems) if text_table else None
    if text_table and not text_table.rows:
        problems.add("table without rows", text_table.name)
    problems.raise_if_any()
    assert text_table and column
    header = text_table.header
    duplicates = sorted({name for name in header if name and header.count(name) > 1})
    if duplicates:
        raise InputError(f"{root / text_table.name}: several columns are called {listing(map(repr, duplicates))}")
    frame = pd.DataFrame(text_table.rows, columns=header, dtype="str")
    paths = []
    for image in map(normal_text, text_table.column(column)):
        kind, path = files.find(image) if image else ("missing", "")
        if kind == "outside" and path != image:
            files.outside_links[image] = path
        paths.append(path)
    _report_links(files, len(set(paths)))
    return PredictionInput(frame, column, _locations(files, paths))


def _all_images(files: ChannelFiles) -> PredictionInput:
    below = sorted((path, kind) for kind, path in files.below(""))
    images = [(path, kind) for path, kind in below if is_image(path)]
    for path, kind in below:
        if kind == "outside":  # an image, or a folder of which nothing more is known
            files.add_outside_link(path)
    if files.unreadable:
        refused = "; ".join(f"{path}: {reason}" for path, reason in files.unreadable.items())
        raise InputError(f"{files.root}: {refused}")
    _report_links(files, sum(kind == "outside" or is_image(path) for path, kind in below))
    others = [path for path, kind in below if kind == "file" and not is_image(path)]
    if not images:
        found = f"; there are {count_by_suffix(others)}" if others else ""
        raise InputError(f"{files.root}: neither a CSV nor a picture in it{found}")
    warn_skipped(others)
    paths = (path if kind == "file" else files.find(path)[1] for path, kind in images)
    names = pd.DataFrame({"ImageID": [path for path, _ in images]}, dtype="str")
    return PredictionInput(names, "ImageID", _locations(files, paths))


def _report_links(files: ChannelFiles, count: int) -> None:
    """Warns of links that lead out of the channel, whose images get no answer. InputError where all `count` do."""
    if files.outside_links:
        text = f"{files.root}: {OUTSIDE_LINKS}: {outside_links_text(files)}"
        if len(files.outside_links) >= count:
            raise InputError(text)
        log.warning("%s", text)


def _locations(files: ChannelFiles, paths: Iterable[str]) -> ImageLocations:
    return ImageLocations(map(files.shards.locate, paths))
