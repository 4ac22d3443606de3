"""Layout `csv`: a table with one row per image; finds its column of image names."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from pathlib import Path

from model.attributes import normal_text
from model.data.readers.channel_files import ChannelFiles, Kind, sample_names
from model.data.readers.columns import (
    LABEL_COLUMNS,
    MASK_COLUMNS,
    PICTURE_COLUMNS,
    SURE_PICTURE_COLUMNS,
    USUAL_PICTURE_COLUMNS,
    column_named,
)
from model.data.readers.image_names import is_image
from model.data.readers.profile_folders import ProfileEntry, read_profile_entries
from model.data.readers.rows import ImageFinder, Rows
from model.data.readers.split_names import UNUSED, side_of
from model.data.readers.table_options import TableOptions
from model.data.readers.text_table import TextTable, read_table, table_header
from model.errors import Problems, did_you_mean, listing

log = logging.getLogger("rarebird")


def has_picture_column(path: Path, options: TableOptions) -> bool:
    """Whether a table has a column that certainly contains image names.

    It is the column of the setting; without a setting, the column that the saved model was trained with or one of
    SURE_PICTURE_COLUMNS.

    Args:
        path: The table.
        options: How tables are read.
    """
    header = table_header(path, options.encoding, options.picture_columns)
    names = (name for name in options.picture_columns if name not in PICTURE_COLUMNS or name in SURE_PICTURE_COLUMNS)
    return column_named(header, *names) is not None


def names_images(files: ChannelFiles, table: TextTable, column: str) -> bool:
    """Whether any of a sample of a column's values is an image of the channel.

    Args:
        files: The channel.
        table: A table of the channel.
        column: Name of the column.
    """
    names = table.column(column)
    files.locate_images(names, posixpath.dirname(table.name))
    return bool(_images_among(files, table, names))


def is_about_class_folders(files: ChannelFiles, table: TextTable, column: str, options: TableOptions) -> bool:
    """Whether a table has no labels and its images are in more than one folder, so that folders may be the classes."""
    labels = (*LABEL_COLUMNS, *options.label_columns)
    if column_named(table.header, *labels) or all(column_named(table.header, name) for name in MASK_COLUMNS):
        return False
    return len({posixpath.dirname(path) for path in _images_among(files, table, table.column(column))}) > 1


def usual_picture_column(table: TextTable, options: TableOptions, files: ChannelFiles) -> str | None:
    """The column of image names; None if the table has no column with a possible name.

    It is the column of the setting or the one that the saved model was trained with. Otherwise it is the first column
    of PICTURE_COLUMNS whose values are images of the channel, or the first of them if there is none.

    Args:
        table: A table of the channel.
        options: How tables are read.
        files: The channel.
    """
    column = column_named(table.header, *options.picture_columns)
    known = filter(None, (options.picture_column, options.remembered_column))
    if column is None or column == column_named(table.header, *known):
        return column
    usual = (name for name in table.header if column_named([name], *PICTURE_COLUMNS))
    return next((name for name in dict.fromkeys((column, *usual)) if names_images(files, table, name)), column)


def picture_column_of(table: TextTable, options: TableOptions, files: ChannelFiles, problems: Problems) -> str | None:
    """The column of image names (see usual_picture_column); None, and a problem, if the table has none."""
    column = usual_picture_column(table, options, files)
    if column is not None:
        first = column_named(table.header, *options.picture_columns)
        if column != first:
            text = "%s: image names are read from column %s, since the images in column %s do not exist"
            log.info(text, table.name, column, first)
        return column
    near = did_you_mean(options.picture_column, table.header) if options.picture_column else ""
    usual = f"none of the columns {USUAL_PICTURE_COLUMNS}"
    missing = f"no column {options.picture_column!r}" if options.picture_column else usual
    columns = listing(name for name in table.header if name)
    advice = near or _picture_column_advice(table, files)
    problems.add("missing image column", f"{table.name} has {missing}; its columns are {columns}{advice}")
    return None


def _picture_column_advice(table: TextTable, files: ChannelFiles) -> str:
    """Advice on how to read a table without a column of image names, for the end of a message."""
    if any(is_image(normal_text(name)) for name in table.header):
        return "; its first row contains an image name: --layout list reads a list without a header"
    columns = _columns_of_images(table, files)
    if columns:
        return f"; column {columns[0]} contains image names: set --picture_column {columns[0]}"
    return "; set --picture_column to the column of image names"


def _columns_of_images(table: TextTable, files: ChannelFiles) -> list[str]:
    """The columns that contain names of the channel's files, by a sample of their values."""
    return [name for name in table.header if name and _images_among(files, table, table.column(name))]


def column_of_image_names(table: TextTable, files: ChannelFiles) -> str:
    """The first column that contains file names of the channel's images, in any folder; "" if there is none."""
    names = {posixpath.basename(path) for _, path in files.below("") if is_image(path)}
    for column in filter(None, table.header):
        if any(posixpath.basename(value) in names for value in sample_names(table.column(column))):
            return column
    return ""


def _images_among(files: ChannelFiles, table: TextTable, names: Sequence[str]) -> list[str]:
    """The paths of the files that are found for a sample of the names."""
    matches = (files.find_spelling(name, posixpath.dirname(table.name)) for name in sample_names(names))
    return [match.path for match in matches if match.kind == "file"]


def read_channel_table(
    files: ChannelFiles, name: str, options: TableOptions, problems: Problems, keep: bool = False
) -> TextTable | None:
    """Reads a table of the channel; None, and a problem, if it is invalid.

    Args:
        files: The channel.
        name: Path of the table below the channel.
        options: How tables are read.
        problems: Collects what is wrong.
        keep: Whether the table will be read again: see TableCache.
    """

    def read(own: Problems) -> TextTable | None:
        return read_table(files.root / name, own, options.encoding, options.picture_columns, name)

    return files.tables.read(name, read, problems, keep)


def read_csv_rows(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows | None:
    """Reads the rows of a CSV: one per image or, as in the mask competition's train.csv, one per profile folder.

    Args:
        files: The channel.
        name: Path of the CSV below the channel.
        options: How tables are read.
        problems: Collects what is wrong.

    Returns:
        The rows; None, and a problem, if the file is not a table.
    """
    table = read_channel_table(files, name, options, problems)
    if table is None:
        return None
    names_column = picture_column_of(table, options, files, problems)
    return rows_of_table(files, table, names_column, f"CSV {name}", options, problems)


def rows_of_table(
    files: ChannelFiles,
    table: TextTable,
    names_column: str | None,
    source: str,
    options: TableOptions,
    problems: Problems,
) -> Rows:
    """The rows of a table whose images are found, without rows of splits that training does not use.

    Args:
        files: The channel.
        table: The table.
        names_column: Column of image names; None to return the columns without rows.
        source: Layout and file, for messages.
        options: How tables are read.
        problems: Collects what is wrong.
    """
    duplicates = {column for column in table.header if column and table.header.count(column) > 1}
    if duplicates:
        problems.add("duplicate column", f"{table.name}: {listing(sorted(duplicates))}")
    columns = [column for column in table.header if column not in (names_column, "")]
    rows = Rows(source, columns={column: [] for column in columns})
    if names_column is None:
        return rows

    # Find the image of each row that is used
    finder = ImageFinder(files, problems, table.name, options.missing)
    entries: list[tuple[int, Kind, str]] = []
    unused = _unused_rows(table, options.split_column)
    files.locate_images(table.column(names_column), posixpath.dirname(table.name))
    for row, text in enumerate(table.column(names_column)):
        if row in unused:
            finder.mark_unused(text)
        elif image := finder.find(text, table.origin(row)):
            entries.append((row, *image))
    finder.finish()
    if any(kind == "folder" for _, kind, _ in entries):
        profile_entries = (
            ProfileEntry(table.origin(row), kind, path, dict(zip(table.header, table.rows[row])))
            for row, kind, path in entries
        )
        return read_profile_entries(files, table.name, columns, profile_entries, problems)
    rows.paths = [path for _, _, path in entries]
    rows.origins = [table.origin(row) for row, _, _ in entries]
    for column in columns:
        texts = table.column(column)
        rows.columns[column] = [texts[row] for row, _, _ in entries]
    return rows


def _unused_rows(table: TextTable, split_column: str | None) -> set[int]:
    """The rows whose split is neither train nor validation; logs their number."""
    column = column_named(table.header, split_column) if split_column else None
    if column is None:
        return set()
    texts = table.column(column)
    unused = {row for row, text in enumerate(texts) if side_of(text) == UNUSED}
    if unused:
        names = listing(sorted({normal_text(texts[row]) for row in unused}))
        log.info("%s: skipped %s rows whose %s is %s", table.name, f"{len(unused):,}", column, names)
    return unused
