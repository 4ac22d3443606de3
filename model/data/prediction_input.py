"""Input of inference: the rows of info.csv, all images of a folder, or single files, with the images' locations."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.attributes import normal_text
from model.data.image_locations import ImageLocations
from model.data.readers.channel_checks import OUTSIDE_LINKS, has_content, outside_links_text
from model.data.readers.channel_files import ChannelFiles, NameMatch
from model.data.readers.columns import LABEL_COLUMNS, SURE_PICTURE_COLUMNS, column_named
from model.data.readers.csv_table import has_picture_column, picture_column_of
from model.data.readers.detect import FILE_LAYOUTS, choose_table, layout_of_table
from model.data.readers.image_names import count_by_suffix, is_image, warn_skipped
from model.data.readers.own_outputs import input_tables
from model.data.readers.path_list import PATH, begins_with_image, has_header, read_list
from model.data.readers.shards import SHARD_SUFFIX
from model.data.readers.table_options import TableOptions
from model.data.readers.text_table import CSV_SUFFIXES, TextTable, read_table
from model.errors import InputError, Problems, listing, nearest_path
from model.images.image_location import ImageLocation
from model.labels import Scheme
from model.paths import leaves_folder

log = logging.getLogger("rarebird")

INFO = "info.csv"
PLACEHOLDER_COLUMN = "ans"  # in the info.csv of the mask competition it is 0 in every row


@dataclass(frozen=True)
class PredictionInput:
    """The images to predict, one row per image.

    Attributes:
        rows: The table as text, all columns, in the order of the file; a RangeIndex.
        name_column: Column that names the images.
        locations: Location of each row's image.
        metadata: The columns that the model reads as metadata (model.data.metadata), aligned; None for none.
    """

    rows: pd.DataFrame
    name_column: str
    locations: ImageLocations
    metadata: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Sequence[int] | np.ndarray) -> PredictionInput:
        """These rows alone, in this order."""
        positions = np.asarray(rows, dtype=np.int64)
        frame = self.rows.iloc[positions].reset_index(drop=True)
        metadata = self.metadata if self.metadata is None else self.metadata.iloc[positions].reset_index(drop=True)
        return PredictionInput(frame, self.name_column, self.locations.take(positions), metadata)

    def part(self, index: int, count: int) -> PredictionInput:
        """The rows of host number `index` of `count` hosts: every count-th row, starting with row `index`."""
        return self.take(range(index, len(self), count))


def read_info(root: Path, options: TableOptions | None = None, follow_links: bool = False) -> PredictionInput:
    """Reads the images to predict from the channel at root.

    Every row is kept, including duplicates. The location of a missing image is the path at which it was expected, that
    of an image outside the channel is a path that leaves it, and that of an empty name is "". Reading these images
    raises UnreadableImage with the reason.

    Args:
        root: Folder of the channel.
        options: How the table is read. By default the table is info.csv or the only table with a column of image names.
            In a folder without a table, every image below root is a row, sorted, in a column ImageID.
        follow_links: Whether links that lead out of the channel are followed.

    Raises:
        InputError: The channel is missing or empty, all images are behind links that leave it, the table is invalid or
            has no column of image names, or none of its images exists.
    """
    root, options = Path(root), options or TableOptions()
    problems = Problems(str(root))
    files = ChannelFiles(root, follow_links)
    if not has_content(files, problems):
        problems.raise_if_any()
    name = _table_name(files, options, problems)
    problems.raise_if_any()
    if name is None:
        return _all_images(files)
    table, column = _read_table(files, name, options, problems)
    if table and not table.rows:
        problems.add("table without rows", table.name)
    problems.raise_if_any()
    assert table and column
    header = table.header
    duplicates = sorted({name for name in header if name and header.count(name) > 1})
    if duplicates:
        raise InputError(f"{root / table.name}: duplicate columns: {listing(map(repr, duplicates))}")
    paths = _find_images(files, table, table.column(column), problems)
    problems.raise_if_any()
    frame = pd.DataFrame(table.rows, columns=header, dtype="str")
    return PredictionInput(frame, column, _locations(files, paths))


def _table_name(files: ChannelFiles, options: TableOptions, problems: Problems) -> str | None:
    """Path of the table below the channel; None if every image of the channel is to be predicted.

    If there are images, a table without a column of image names is ignored, unless it is info.csv or picture_column is
    set.
    """
    if options.table is not None:
        return choose_table(files, options.table, [], (), problems)
    names = [name for name in files.folder().names("file") if name.lower().endswith(CSV_SUFFIXES)]
    tables = input_tables(names, files.root)
    candidates = [name for name in tables if has_picture_column(files.root / name, options)]
    if not candidates and (options.picture_column or INFO in tables):
        candidates = tables
    if not candidates and tables and any(is_image(path) for _, path in files.below("")):
        named = f"; --table {tables[0]} reads it" if len(tables) == 1 else ""
        columns = " or ".join(SURE_PICTURE_COLUMNS)
        log.warning("%s not read: there is no column %s%s", listing(tables), columns, named)
        tables = []
    candidates = candidates or tables
    return choose_table(files, None, candidates, (INFO,), problems) if candidates else None


def _read_table(
    files: ChannelFiles, name: str, options: TableOptions, problems: Problems
) -> tuple[TextTable | None, str | None]:
    """Reads a table and finds its column of image names; None, and problems, for what cannot be read.

    name: Path of the table below the channel.
    """
    path = files.root / name
    reader = FILE_LAYOUTS[layout_of_table(name)].read_table
    if reader is not None:
        return reader(files, name, options, problems), PATH
    is_csv = name.lower().endswith(CSV_SUFFIXES)
    without_header = options.picture_column is None and begins_with_image(path, options) if is_csv else True
    if without_header and not has_header(path, options):
        return read_list(path, problems, options.encoding, name), PATH
    table = read_table(path, problems, options.encoding, options.picture_columns, name)
    return table, picture_column_of(table, options, files, problems) if table else None


def _find_images(files: ChannelFiles, table: TextTable, texts: list[str], problems: Problems) -> list[str]:
    """The path of each row's image: see read_info for missing images. If none exists, that is a problem.

    texts: The image names of the table.
    """
    folder = posixpath.dirname(table.name)
    paths: list[str] = []
    missing: list[str] = []
    respelled: list[str] = []
    files.locate_images(texts, folder)
    for row, text in enumerate(texts):
        name = normal_text(text)
        match = files.find_spelling(name, folder) if name else NameMatch("missing", "")
        paths.append(match.path)
        if match.is_respelled:
            respelled.append(f"{table.origin(row)}: {name!r} is {match.path}")
        elif match.kind == "ambiguous":
            detail = f"{table.origin(row)}: there is no file {name!r}, but {match.path}; write the exact file name"
            problems.add("ambiguous image name", detail)
        elif match.kind == "outside" and not leaves_folder(name):
            files.outside_links[f"{table.origin(row)}: {name}"] = match.path
        elif match.kind in ("missing", "outside"):
            expected = f"{match.path}{files.similar(match.path)}" if name else "the image name is empty"
            missing.append(f"{table.origin(row)}: {expected}")
    if respelled:
        count = f"{len(respelled):,} image name{'s are' if len(respelled) != 1 else ' is'}"
        log.info("%s: %s spelled differently from the files, such as %s", table.name, count, respelled[0])
    if missing and len(missing) == len(paths):
        problems.add("no image of the table exists", f"{len(missing):,} rows, such as {missing[0]}")
    _report_links(files, len(paths) - len(missing))
    if missing:
        log.warning("%s: no image for %d of %d rows: %s", table.name, len(missing), len(paths), listing(missing, 3))
    return paths


def has_images(root: Path) -> bool:
    """Whether a folder contains an image, a shard or a table at any depth. No file is opened."""
    endings = (SHARD_SUFFIX, *CSV_SUFFIXES)
    names = (name.lower() for _, _, files in os.walk(root) for name in files)
    return any(is_image(name) or name.endswith(endings) for name in names)


def has_labels(inputs: PredictionInput, scheme: Scheme) -> bool:
    """Whether the input also has true labels, so that evaluation can read them there.

    They are in a column per attribute or, for one attribute, in the names of folders. A column `ans` does not count,
    because tables of images to predict fill it with a placeholder.

    Args:
        inputs: The images to predict.
        scheme: The label scheme of the model.
    """
    columns = [name for name in inputs.rows.columns if name not in (inputs.name_column, PLACEHOLDER_COLUMN)]
    if all(column_named(columns, attribute.column or attribute.name) for attribute in scheme.attributes):
        return True
    if len(scheme.attributes) > 1:
        return False
    if column_named(columns, *LABEL_COLUMNS):
        return True
    folders = {path.partition("/")[0] if "/" in path else "" for path in inputs.locations.paths}
    return not columns and len(folders) > 1 and folders <= set(scheme.attributes[0].values)


def single_files(names: Sequence[str]) -> PredictionInput:
    """The input for single image files: one row per file, in this order, with its path in a column ImageID.

    Locations are relative to the root `/`.

    Raises:
        InputError: Lists paths that are not files, with the nearest name in the folder.
    """
    problems = Problems("images")
    for name in names:
        path = Path(name)
        if path.is_dir():
            problems.add("folders", f"{name}: pass a folder with --eval_dir {name}")
        elif not path.exists():
            problems.add("missing files", f"{name}: no such file{nearest_path(path)}")
        elif name != name.encode("utf-8", "backslashreplace").decode():
            problems.add("names", f"{name.encode('utf-8', 'backslashreplace').decode()}: its name is not UTF-8")
    problems.raise_if_any()
    locations = ImageLocations(ImageLocation(os.path.abspath(name).lstrip("/")) for name in names)
    return PredictionInput(pd.DataFrame({"ImageID": list(names)}, dtype="str"), "ImageID", locations)


def _all_images(files: ChannelFiles) -> PredictionInput:
    below = sorted((path, kind) for kind, path in files.below(""))
    images = [(path, kind) for path, kind in below if is_image(path)]
    for path, kind in below:
        if kind == "outside":  # an image, or a folder whose content is unknown
            files.add_outside_link(path)
    if files.unreadable:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in files.unreadable.items())
        raise InputError(f"{files.root}: {reasons}")
    _report_links(files, sum(kind == "outside" or is_image(path) for path, kind in below))
    others = [path for path, kind in below if kind == "file" and not is_image(path)]
    # Tables in the root have been logged already
    others = [path for path in others if "/" in path or not path.lower().endswith(CSV_SUFFIXES)]
    if not images:
        content = f"; its files are {count_by_suffix(others)}" if others else ""
        raise InputError(f"{files.root}: the folder contains neither a CSV nor an image{content}")
    warn_skipped(others)
    paths = (path if kind == "file" else files.find(path)[1] for path, kind in images)
    names = pd.DataFrame({"ImageID": [path for path, _ in images]}, dtype="str")
    return PredictionInput(names, "ImageID", _locations(files, paths))


def _report_links(files: ChannelFiles, count: int) -> None:
    """Warns about links that leave the channel, whose images get no prediction.

    Raises InputError if all `count` images are behind such links.
    """
    if files.outside_links:
        text = f"{files.root}: {OUTSIDE_LINKS}: {outside_links_text(files)}"
        if len(files.outside_links) >= count:
            raise InputError(text)
        log.warning("%s", text)


def _locations(files: ChannelFiles, paths: Iterable[str]) -> ImageLocations:
    return ImageLocations(map(files.shards.locate, paths))
