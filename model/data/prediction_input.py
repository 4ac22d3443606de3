"""info.csv or a folder: what is to be answered."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from model.data.channel import _is_there
from model.data.readers.annotation_files import picture_column_of, read_csv
from model.data.readers.channel_files import ChannelFiles, is_picture
from model.data.readers.detect import choose_table, names_pictures
from model.errors import InputError, Problems, listing
from model.labels import normal_text


def read_info(
    root: Path, *, table: str | None = None, picture_column: str | None = None
) -> tuple[pd.DataFrame, str, list[str]]:
    """What is to be answered: the rows of info.csv (or the table of that name, or the only CSV) with all its columns as
    text, the name of the picture column, and each row's picture as a path relative to root.

    Every row is kept, doubles too. A missing file has the path where it was expected, one out of the channel a path
    that leaves it, an empty cell "": model.pictures.read_picture tells the reason of each. Without a CSV: every picture
    below root, sorted, in a column ImageID. InputError where there is no channel, nothing in it, or no picture column.
    """
    root = Path(root)
    problems = Problems(str(root))
    files = ChannelFiles(root)
    if not _is_there(files, problems):
        problems.raise_if_any()
    tables = [name for name in files.folder().names("file") if name.lower().endswith(".csv")]
    if table is None and not tables:
        return _all_pictures(files)
    naming = [name for name in tables if names_pictures(root / name, picture_column)]
    name = choose_table(files, table, naming or tables, ("info.csv",), problems)
    read = read_csv(root / name, problems) if name else None
    column = picture_column_of(read, picture_column, problems) if read else None
    if read and not read.rows:
        problems.add("table without rows", read.name)
    problems.raise_if_any()
    assert read and column
    twice = sorted({name for name in read.header if name and read.header.count(name) > 1})
    if twice:
        raise InputError(f"{root / read.name}: several columns are called {listing(map(repr, twice))}")
    frame = pd.DataFrame(read.rows, columns=read.header, dtype="str")
    asked = [normal_text(text) for text in read.column(column)]
    return frame, column, [files.find(text)[1] if text else "" for text in asked]


def _all_pictures(files: ChannelFiles) -> tuple[pd.DataFrame, str, list[str]]:
    found = sorted((path, what) for what, path in files.below("") if is_picture(path))
    if files.unreadable:
        refused = "; ".join(f"{place}: {reason}" for place, reason in files.unreadable.items())
        raise InputError(f"{files.root}: {refused}")
    if not found:
        raise InputError(f"{files.root}: neither a CSV nor a picture in it")
    paths = [path if what == "file" else files.find(path)[1] for path, what in found]
    return pd.DataFrame({"ImageID": [path for path, _ in found]}, dtype="str"), "ImageID", paths
