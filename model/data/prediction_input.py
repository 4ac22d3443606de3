"""Input of inference: the rows of info.csv, all images of a folder, or single files, with where each row's image lies;
a host of several takes its part of the rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.data.image_locations import ImageLocations
from model.data.readers.channel_files import ChannelFiles, has_content, is_image
from model.data.readers.csv_table import has_picture_column, picture_column_of, read_csv
from model.data.readers.detect import choose_table
from model.errors import InputError, Problems, did_you_mean, listing
from model.images.image_location import ImageLocation
from model.labels import normal_text


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


def read_info(root: Path, *, table: str | None = None, picture_column: str | None = None) -> PredictionInput:
    """Reads what is to be predicted in the channel at root.

    Every row is kept, duplicates too. A row whose image does not exist has the path at which it was expected, one
    outside the channel a path that leaves it, an empty name the path "": reading such an image raises
    UnreadableImage with the reason.

    Args:
        root: Folder of the channel.
        table: Name of the CSV; by default info.csv, else the only CSV. In a folder without a CSV, every image below
            root is a row, sorted, in a column ImageID.
        picture_column: Column that names the images; by default ImageID, image_name or path.

    Raises:
        InputError: There is no such channel, nothing in it, no column of image names, or the table is damaged.
    """
    root = Path(root)
    problems = Problems(str(root))
    files = ChannelFiles(root)
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
    names = map(normal_text, text_table.column(column))
    return PredictionInput(frame, column, _locations(files, (files.find(name)[1] if name else "" for name in names)))


def single_files(names: Sequence[str]) -> PredictionInput:
    """Image files by their paths, in this order, in a column ImageID. Their locations are relative to the root `/`.

    Raises:
        InputError: Lists what is no file, with the nearest name in its folder.
    """
    problems = Problems("pictures")
    for name in names:
        path = Path(name)
        if path.is_dir():
            problems.add("folders", f"{name}: a folder is named by a flag, as in --eval_dir {name}")
        elif not path.exists():
            beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            problems.add("missing files", f"{name}: there is no such file{did_you_mean(path.name, beside)}")
        elif name != name.encode("utf-8", "backslashreplace").decode():
            problems.add("names", f"{name.encode('utf-8', 'backslashreplace').decode()}: its name is not UTF-8")
    problems.raise_if_any()
    locations = ImageLocations(ImageLocation(os.path.abspath(name).lstrip("/")) for name in names)
    return PredictionInput(pd.DataFrame({"ImageID": list(names)}, dtype="str"), "ImageID", locations)


def _all_images(files: ChannelFiles) -> PredictionInput:
    images = sorted((path, kind) for kind, path in files.below("") if is_image(path))
    if files.unreadable:
        refused = "; ".join(f"{path}: {reason}" for path, reason in files.unreadable.items())
        raise InputError(f"{files.root}: {refused}")
    if not images:
        raise InputError(f"{files.root}: neither a CSV nor a picture in it")
    paths = (path if kind == "file" else files.find(path)[1] for path, kind in images)
    names = pd.DataFrame({"ImageID": [path for path, _ in images]}, dtype="str")
    return PredictionInput(names, "ImageID", _locations(files, paths))


def _locations(files: ChannelFiles, paths: Iterable[str]) -> ImageLocations:
    return ImageLocations(map(files.shards.locate, paths))
