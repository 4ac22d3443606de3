"""Detects the layout of a channel and reads its rows. The two tables here list every layout with its reader;
its name also is a choice of the setting: `model.settings.choices.LAYOUTS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.class_folders import has_class_folders, read_class_folders
from model.data.readers.columns import PICTURE_COLUMNS
from model.data.readers.csv_table import has_picture_column, read_csv_rows
from model.data.readers.image_files import has_image_files, read_image_files
from model.data.readers.lst import read_lst_rows
from model.data.readers.manifest import read_manifest_rows
from model.data.readers.profile_folders import has_profiles, read_profiles
from model.data.readers.rows import Rows
from model.errors import Problems, did_you_mean, listing

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class FileLayout:
    """A layout whose rows are in one annotation file.

    Attributes:
        suffixes: Extensions of the file.
        read: Reads the channel's file of that name; the third argument is the column of image names, if one is set.
    """

    suffixes: tuple[str, ...]
    read: Callable[[ChannelFiles, str, str | None, Problems], Rows | None]


@dataclass(frozen=True)
class FolderLayout:
    """A layout whose rows are in the names of folders.

    Attributes:
        is_present: Whether a channel looks like this layout.
        read: Reads the channel.
    """

    is_present: Callable[[ChannelFiles], bool]
    read: Callable[[ChannelFiles, Problems], Rows]


# Each in the order in which `auto` tries them, files before folders
FILE_LAYOUTS = {
    "csv": FileLayout((".csv",), read_csv_rows),
    "lst": FileLayout((".lst",), read_lst_rows),
    "manifest": FileLayout((".manifest", ".jsonl"), read_manifest_rows),
}
FOLDER_LAYOUTS = {
    "profiles": FolderLayout(has_profiles, read_profiles),
    "classes": FolderLayout(has_class_folders, read_class_folders),
    "files": FolderLayout(has_image_files, read_image_files),
}
TABLE_NAMES = ("train.csv", "info.csv")  # read where there are several tables


def read_rows(
    files: ChannelFiles, layout: str, table: str | None, picture_column: str | None, problems: Problems
) -> Rows | None:
    """Reads the rows of a channel.

    Args:
        files: The channel.
        layout: Name of a layout in FILE_LAYOUTS or FOLDER_LAYOUTS, or `auto`, which detects it.
        table: Name of the annotation file, where one is set.
        picture_column: Column of image names in a CSV, where one is set.
        problems: Collects what is wrong.

    Returns:
        The rows; None, and a problem, where nothing can be read.
    """
    if table is not None and choose_table(files, table, [], (), problems) is None:
        return None
    names = files.folder().names("file")
    tables = {name: [file for file in names if _has_suffix(file, own)] for name, own in FILE_LAYOUTS.items()}
    with_pictures = [name for name in tables["csv"] if has_picture_column(files.root / name, picture_column)]
    if layout == "auto":
        layout = _layout_of_table(table) if table else _detect(files, tables, bool(with_pictures))
    if layout in FOLDER_LAYOUTS:
        return FOLDER_LAYOUTS[layout].read(files, problems)
    if layout not in FILE_LAYOUTS:
        content = listing(files.folder().kinds, 8)
        expected = f"a CSV with a column {' or '.join(PICTURE_COLUMNS)}, folders of pictures, a .lst or a .manifest"
        problems.add("channel of no known layout", f"{files.root} holds {content}; expected {expected}")
        return None
    candidates = with_pictures if layout == "csv" and with_pictures else tables[layout]
    name = choose_table(files, table, candidates, TABLE_NAMES, problems)
    return None if name is None else FILE_LAYOUTS[layout].read(files, name, picture_column, problems)


def _has_suffix(name: str, layout: FileLayout) -> bool:
    return name.lower().endswith(layout.suffixes)


def _layout_of_table(table: str) -> str:
    return next((name for name, layout in FILE_LAYOUTS.items() if _has_suffix(table, layout)), "csv")


def _detect(files: ChannelFiles, tables: dict[str, list[str]], csv_names_pictures: bool) -> str:
    """The name of the layout, "" where it is none. A CSV without image names counts only where nothing else is there.

    tables: The annotation files by layout.
    """
    if csv_names_pictures:
        return "csv"
    present = [name for name in FILE_LAYOUTS if name != "csv" and tables[name]]
    layout = present[0] if present else ""
    if not layout:
        layout = next((name for name, folders in FOLDER_LAYOUTS.items() if folders.is_present(files)), "")
    if layout == "files" and tables["csv"]:
        return "csv"  # images beside a table that does not say which column names them
    if layout and tables["csv"]:
        log.warning("%s not read, without a column %s", listing(tables["csv"]), " or ".join(PICTURE_COLUMNS))
    return layout or ("csv" if tables["csv"] else "")


def choose_table(
    files: ChannelFiles, named: str | None, candidates: list[str], usual: Iterable[str], problems: Problems
) -> str | None:
    """The annotation file to read.

    Args:
        files: The channel.
        named: The file that is set, if any.
        candidates: The files to choose from, if none is set.
        usual: Names that are chosen where several files are there.
        problems: Collects what is wrong.

    Returns:
        The name of the file; None, and a problem, where there is no such file or there are several.
    """
    if named is not None:
        names = files.folder().names("file")
        if named in names:
            return named
        content = listing(names) or "no files"
        problems.add("missing table", f"there is no {named!r}; there are {content}{did_you_mean(named, names)}")
        return None
    for name in usual:
        if name in candidates:
            return name
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        problems.add("several tables", f"{listing(candidates)}; name one by table")
    else:
        problems.add("missing table", f"{files.root} holds none; there are {listing(files.folder().kinds, 8)}")
    return None
