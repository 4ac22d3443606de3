"""Detects the layout of a channel and reads its rows.

FILE_LAYOUTS and FOLDER_LAYOUTS list every layout with its reader; `model.settings.choices.LAYOUTS` lists their names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.class_folders import FolderLevels, has_class_folders, read_class_folders
from model.data.readers.columns import USUAL_PICTURE_COLUMNS
from model.data.readers.csv_table import (
    column_of_image_names,
    has_picture_column,
    is_about_class_folders,
    names_images,
    read_channel_table,
    read_csv_rows,
    usual_picture_column,
)
from model.data.readers.image_files import has_image_files, read_image_files
from model.data.readers.image_names import count_by_suffix, is_image
from model.data.readers.lst import read_lst_rows, read_lst_table
from model.data.readers.manifest import read_manifest_rows, read_manifest_table
from model.data.readers.own_outputs import input_tables
from model.data.readers.path_list import PATH, begins_with_image, read_channel_list, read_path_list
from model.data.readers.profile_folders import has_profiles, read_profiles
from model.data.readers.rows import Rows
from model.data.readers.table_options import TableOptions
from model.data.readers.text_table import CSV_SUFFIXES, TextTable
from model.errors import Problems, did_you_mean, listing

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class FileLayout:
    """A layout whose rows are in one annotation file.

    Attributes:
        suffixes: Extensions of the file.
        read: Reads the rows of the file.
        is_detected: Whether a file with this extension is detected; otherwise `table` or `layout` must be set.
        read_table: Reads the file for prediction, as a table with the column `path`, with or without labels; None if
            it is read as a CSV or a list.
    """

    suffixes: tuple[str, ...]
    read: Callable[[ChannelFiles, str, TableOptions, Problems], Rows | None]
    is_detected: bool = True
    read_table: Callable[[ChannelFiles, str, TableOptions, Problems], TextTable | None] | None = None


@dataclass(frozen=True)
class FolderLayout:
    """A layout without an annotation file.

    Attributes:
        is_present: Whether a channel looks like this layout.
        read: Reads the rows; the second argument is how class folders become labels.
    """

    is_present: Callable[[ChannelFiles], bool]
    read: Callable[[ChannelFiles, FolderLevels, Problems], Rows | None]


# `auto` tries the layouts in this order, files before folders
FILE_LAYOUTS = {
    "csv": FileLayout(CSV_SUFFIXES, read_csv_rows),
    "lst": FileLayout((".lst",), read_lst_rows, read_table=read_lst_table),
    "manifest": FileLayout((".manifest", ".jsonl"), read_manifest_rows, read_table=read_manifest_table),
    "list": FileLayout((".txt", *CSV_SUFFIXES), read_path_list, is_detected=False),
}
FOLDER_LAYOUTS = {
    "profiles": FolderLayout(has_profiles, lambda files, _, problems: read_profiles(files, problems)),
    "classes": FolderLayout(has_class_folders, read_class_folders),
    "files": FolderLayout(has_image_files, lambda files, _, __: read_image_files(files)),
}
TABLE_NAMES = ("train.csv", "info.csv", "train.txt")  # chosen if a channel has more than one table
TABLE_SUFFIXES = tuple(suffix for layout in FILE_LAYOUTS.values() for suffix in layout.suffixes)
DETECTED_SUFFIXES = tuple(suffix for own in FILE_LAYOUTS.values() if own.is_detected for suffix in own.suffixes)


def read_rows(
    files: ChannelFiles,
    layout: str,
    options: TableOptions,
    problems: Problems,
    levels: FolderLevels | None = None,
) -> Rows | None:
    """Reads the rows of a channel.

    Args:
        files: The channel.
        layout: Name of a layout in FILE_LAYOUTS or FOLDER_LAYOUTS, or `auto`, which detects it.
        options: How annotation files are read.
        problems: Collects what is wrong.
        levels: How class folders become labels.

    Returns:
        The rows; None, and a problem, if nothing can be read.
    """
    levels, table, is_auto = levels or FolderLevels(), options.table, layout == "auto"
    if table is not None and choose_table(files, table, [], (), problems) is None:
        return None
    tables = _tables(files, options)
    with_images = _with_images(files, tables, options)
    for link in files.folder().names("outside"):
        if link.lower().endswith(DETECTED_SUFFIXES) and layout not in FOLDER_LAYOUTS:
            files.add_outside_link(link)
    if layout == "auto" and levels.names:
        layout = "classes"
    if layout == "auto":
        layout = layout_of_table(table) if table else _detect(files, tables, bool(with_images), options)
        if layout == "files" and _tables_below(files):
            layout = ""  # the labels are more likely in a table in a subfolder than in the paths
    if layout in FOLDER_LAYOUTS:
        return FOLDER_LAYOUTS[layout].read(files, levels, problems)
    if layout not in FILE_LAYOUTS:
        _report_unknown_layout(files, problems)
        return None
    candidates = with_images if layout == "csv" and with_images else tables[layout]
    name = choose_table(files, table, candidates, TABLE_NAMES, problems)
    if name is None:
        return None
    if is_auto and layout == "csv" and _is_list(files.root / name, options):
        log.info("%s: the first row contains an image name, so it is read as a list without a header", name)
        layout = "list"
    others = [other for other in tables["csv"] if other != name and layout == "csv"]
    if others:
        log.info("reading table %s, not %s; --table NAME reads another", name, listing(others))
    return FILE_LAYOUTS[layout].read(files, name, options, problems)


def tables_to_read(files: ChannelFiles, layout: str, options: TableOptions) -> list[str]:
    """The annotation files that would be read with these settings, or chosen from; empty if folders would be read.

    With layout auto, a CSV must have a column of image names.

    Args:
        files: The channel.
        layout: Name of a layout, or `auto`.
        options: How annotation files are read.
    """
    tables = _tables(files, options)
    if options.table is not None:
        return [options.table] if files.find(options.table)[0] == "file" else []
    if layout in FILE_LAYOUTS:
        return tables[layout]
    with_images = _with_images(files, tables, options)
    return [*with_images, *tables["lst"], *tables["manifest"]] if layout == "auto" else []


def _tables(files: ChannelFiles, options: TableOptions) -> dict[str, list[str]]:
    """The annotation files in the root of the channel, by layout."""
    names = [name for name in files.folder().names("file") if name != options.not_input]
    tables = {name: [file for file in names if _has_suffix(file, own)] for name, own in FILE_LAYOUTS.items()}
    tables["csv"] = input_tables(tables["csv"], files.root) if options.table is None else []
    return tables


def _with_images(files: ChannelFiles, tables: dict[str, list[str]], options: TableOptions) -> list[str]:
    """The CSV files that contain image names.

    If any have a column that certainly contains image names, these; otherwise those in which images of the channel are
    found, by a column with another usual name or as lists without a header. The latter must have labels, unless
    folders cannot be the labels.
    """
    paths = {name: files.root / name for name in tables["csv"]}
    sure = [name for name, path in paths.items() if has_picture_column(path, options)]
    return sure or [name for name in paths if _names_images(files, name, options)]


def _names_images(files: ChannelFiles, name: str, options: TableOptions) -> bool:
    ignored = Problems(name)  # reported when the rows are read
    column: str | None
    if _is_list(files.root / name, options):
        table, column = read_channel_list(files, name, options, ignored, keep=True), PATH
    else:
        table = read_channel_table(files, name, options, ignored, keep=True)
        column = usual_picture_column(table, options, files) if table else None
    if table is None or column is None or not names_images(files, table, column):
        return False
    return not is_about_class_folders(files, table, column, options)


def _is_list(path: Path, options: TableOptions) -> bool:
    """Whether a CSV is a list without a header: its first row has an image name, and picture_column is not set."""
    return options.picture_column is None and begins_with_image(path, options)


def _has_suffix(name: str, layout: FileLayout) -> bool:
    return name.lower().endswith(layout.suffixes)


def layout_of_table(table: str) -> str:
    """The layout of an annotation file by its extension; csv for other extensions."""
    return next((name for name, layout in FILE_LAYOUTS.items() if _has_suffix(table, layout)), "csv")


def _detect(files: ChannelFiles, tables: dict[str, list[str]], csv_has_images: bool, options: TableOptions) -> str:
    """The name of the layout; "" if it is unknown. A CSV without image names only counts if there is nothing else.

    Args:
        files: The channel.
        tables: The annotation files by layout.
        csv_has_images: Whether a CSV contains image names.
        options: How annotation files are read.
    """
    if csv_has_images:
        return "csv"
    present = [name for name, own in FILE_LAYOUTS.items() if name != "csv" and own.is_detected and tables[name]]
    layout = present[0] if present else ""
    if not layout:
        layout = next((name for name, folders in FOLDER_LAYOUTS.items() if folders.is_present(files)), "")
    if layout == "files" and tables["csv"]:
        return "csv"  # images next to a table whose column of image names is not known
    if layout and tables["csv"]:
        _report_unread(files, tables["csv"], options)
    return layout or ("csv" if tables["csv"] else "")


def _report_unread(files: ChannelFiles, names: list[str], options: TableOptions) -> None:
    """Warns about the tables that are not read, because folders are. They are added to `files.unread_tables`."""
    for name in names:
        table = read_channel_table(files, name, options, Problems(name), keep=True)
        files.unread_tables[name] = column_of_image_names(table, files) if table else ""
    column = next(filter(None, files.unread_tables.values()), None)
    advice = f"; to read it, set --picture_column {column}, whose values are images" if column else ""
    text = "%s not read: a table needs a column of image names (%s) and a column of labels%s"
    log.warning(text, listing(names), USUAL_PICTURE_COLUMNS, advice)


def _tables_below(files: ChannelFiles) -> list[str]:
    """Paths of the annotation files in subfolders of the channel."""
    return [path for _, path in files.below("") if "/" in path and path.lower().endswith(DETECTED_SUFFIXES)]


def _report_unknown_layout(files: ChannelFiles, problems: Problems) -> None:
    """Adds the problem that the layout is unknown, with the channel's content and advice.

    If there are links out of the channel, they are added to `files.outside_links`, which is reported instead.
    """
    below = list(files.below(""))
    for kind, path in below:
        if kind == "outside":
            files.add_outside_link(path)
    if files.outside_links:
        return
    content = listing(files.folder().kinds, 8)
    expected = f"a CSV with an image column ({USUAL_PICTURE_COLUMNS}), folders of images, a .lst or a .manifest"
    text = f"{files.root} contains {content}; expected {expected}"
    paths = [path for _, path in below]
    if any("/" in path for path in paths) or not any(map(is_image, paths)):
        text += f"; files at any depth: {count_by_suffix(paths)}"
    if archives := files.archives():
        text += f"; unpack {listing(archives)} into it"
    tables = _tables_below(files)
    if tables:
        text += f"; --table {tables[0]} reads the table in a subfolder"
    problems.add("unknown layout", text)


def choose_table(
    files: ChannelFiles, named: str | None, candidates: list[str], usual: Iterable[str], problems: Problems
) -> str | None:
    """Chooses the annotation file to read.

    Args:
        files: The channel.
        named: The file of the setting `table`, if any; it may be in a subfolder of the channel.
        candidates: The files to choose from if the setting is not set.
        usual: Names that are chosen if there is more than one file.
        problems: Collects what is wrong.

    Returns:
        The path of the file in the channel; None, and a problem, if it does not exist or the choice is not clear.
    """
    if named is not None:
        kind, path = files.find(named)
        if kind == "file":
            return path
        tables = [path for kind, path in files.below("") if kind == "file" and path.lower().endswith(TABLE_SUFFIXES)]
        content = f"the tables are {listing(tables)}" if tables else "the channel has no tables"
        problems.add("missing table", f"no file {named!r}; {content}{did_you_mean(named, tables)}")
        return None
    for name in usual:
        if name in candidates:
            return name
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        problems.add("more than one table", f"{listing(candidates)}; choose one with --table NAME")
    else:
        content = listing(files.folder().kinds, 8)
        problems.add("missing table", f"{files.root} contains no table; it contains {content}")
    return None
