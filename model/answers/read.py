"""Reads tables of image names with classes (true or predicted) or with probabilities, as text, into pandas.

Every problem of a file is added to Problems; nothing is raised here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.attributes import ReadLabels, normal_text
from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.data.readers.text_table import read_table
from model.errors import Problems, did_you_mean, listing
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER

ANSWER_COLUMNS = ("ans", "y_pred", "label")
ANSWER_NAME = "ans_name"  # a column of gt.csv with names, never indices; it is read instead of the others
ROUNDING = 1e-6  # averages of float32 probabilities may exceed 1 by this

# kinds of problems
DUPLICATE_NAMES = "duplicate images"
UNKNOWN_CLASSES = "unknown classes"
MISSING_FILES = "missing files"
MISSING_COLUMNS = "missing columns"
UNREADABLE_FILES = "unreadable files"
DIFFERENT_PARTS = "files that do not match between hosts"


@dataclass(frozen=True)
class ClassTable:
    """A table of image names and classes, as text.

    names, values: The columns of image names and of classes; like table, they are indexed by the lines of the file.
    column: Name of the column of classes.
    name_column: Name of the column of image names.
    labels: int64, one column per attribute: the class of each row, MISSING without a label. None if no row lacks a
        label; values are empty in rows that lack one.
    numbers: float64, one column per attribute with bands: the number of each label, NaN for the name of a band. None if
        the values were not read by attribute.
    """

    file: Path
    names: pd.Series
    values: pd.Series
    table: pd.DataFrame
    column: str
    name_column: str
    labels: pd.DataFrame | None = None
    numbers: pd.DataFrame | None = None

    def read(self, scheme: Scheme, readings: Sequence[str]) -> ReadLabels:
        """Reads all classes in the same way: by the first of the readings (names, indices) that fits every value."""
        return scheme.read([value for value in self.values.unique() if value or scheme.rules.drops(value)], readings)

    def codes(self, read: ReadLabels, problems: Problems) -> np.ndarray:
        """The classes, int64 (N,): -1 for an empty value, DROPPED for a label that the rules of the scheme drop.

        Args:
            read: The result of `read`.
            problems: Collects unknown classes.
        """
        for value, sentence in read.unknown.items():
            rows = self.values.index[self.values == value]
            problems.add(UNKNOWN_CLASSES, f"{self.file} {rows_text(rows)}: {sentence}")
        return self.values.map(read.codes).fillna(NO_ANSWER).to_numpy(dtype=np.int64)


def attribute_column(name: str) -> str:
    """The column of gt.csv with the values of one attribute, which training writes if some labels are missing."""
    return f"{ANSWER_NAME}_{name}"


def read_class_table(
    path: Path,
    problems: Problems,
    parts: Sequence[Path] = (),
    picture_columns: Sequence[str] = PICTURE_COLUMNS,
    encoding: str = "utf-8",
    preferred: str = "",
    columns: Sequence[str] = ANSWER_COLUMNS,
) -> ClassTable | None:
    """Reads a table of image names and classes; None if a column or the file is missing.

    Args:
        path: The CSV.
        problems: Collects its errors.
        parts: CSVs to read instead, one after the other: one per host.
        picture_columns: Possible names of the column of image names; the first one in the table is read.
        encoding: Encoding of a file without a byte-order mark.
        preferred: Name of a column of classes that is read instead of the usual ones, if the table has it.
        columns: The usual names of the column of classes; the first one in the table is read.
    """
    table = _read_tables(path, parts, problems, picture_columns, encoding)
    if table is None:
        return None
    name_column = find_column(table, picture_columns, "images", path, problems)
    class_column = column_named(table.columns, preferred) if preferred else None
    class_column = class_column or find_column(table, columns, "classes", path, problems)
    if name_column is None or class_column is None:
        return None
    names = _read_names(table[name_column], path, problems)
    return ClassTable(path, names, table[class_column].map(normal_text), table, class_column, name_column)


def read_probabilities(
    path: Path, problems: Problems, parts: Sequence[Path] = (), picture_columns: Sequence[str] = PICTURE_COLUMNS
) -> pd.DataFrame | None:
    """Reads probabilities, float64 (N, C), indexed by image name, one column per class; None if that is not possible.

    The index is named like the file's column. An image without probabilities has a row of NaN. The arguments are those
    of read_class_table. A class may have the name of a column of image names: inference writes that column first.
    """
    table = _read_tables(path, parts, problems, picture_columns)
    if table is None:
        return None
    name_column = column_named(table.columns[:1], *picture_columns)
    name_column = name_column or find_column(table, picture_columns, "images", path, problems)
    if name_column is None:
        return None
    names = _read_names(table.pop(name_column), path, problems)
    numbers = np.full(table.shape, np.nan)
    for position, (row, cells) in enumerate(zip(table.index, table.to_numpy())):
        if not any(cells):
            continue  # an unreadable image
        numbers[position] = [to_number(cell) for cell in cells]
        invalid = np.flatnonzero(~((numbers[position] > -ROUNDING) & (numbers[position] < 1 + ROUNDING)))
        if len(invalid):
            column = invalid[0]
            value = f"{table.columns[column]} = {cells[column] or 'an empty cell'}"
            problems.add("not probabilities", f"{path} row {row}: {value}, expected 0 to 1")
    return pd.DataFrame(numbers, index=pd.Index(names, name=name_column), columns=table.columns)


def find_column(table: pd.DataFrame, known: Sequence[str], content: str, path: Path, problems: Problems) -> str | None:
    """The first of the known names that the table has; None, with a problem, if it has none.

    Args:
        table: The table to search.
        known: Names of the column, the most usual first.
        content: Content of the column, for the message.
        path: File of the table, for the message.
        problems: Collects a missing column.
    """
    column = column_named(table.columns, *known)
    if column is None:
        close = next((hint for hint in (did_you_mean(name, table.columns) for name in known) if hint), "")
        if content == "images":
            close += "; set the column with --picture_column"
        expected = listing(known, 4)
        problems.add(
            MISSING_COLUMNS,
            f"{path}: no column of {content}: expected {expected}, found {listing(table.columns)}{close}",
        )
    return column


def rows_text(rows: Iterable[int]) -> str:
    """`row 3` or `rows 3, 8`."""
    numbers = list(rows)
    return f"row{'s' if len(numbers) > 1 else ''} {listing(numbers, 5)}"


def to_number(text: str) -> float:
    """The number in a cell, NaN if it is not a number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read_tables(
    path: Path,
    parts: Sequence[Path],
    problems: Problems,
    picture_columns: Sequence[str],
    encoding: str = "utf-8",
) -> pd.DataFrame | None:
    """The table of all parts if there are any, otherwise that at path; see read_class_table."""
    if parts:
        return _read_parts(parts, problems, picture_columns, encoding)
    return _read_frame(path, problems, picture_columns, encoding)


def _read_frame(path: Path, problems: Problems, picture_columns: Sequence[str], encoding: str) -> pd.DataFrame | None:
    """A table of texts, indexed by the lines of the file, without columns that have no name; None if it cannot be
    read."""
    if not path.is_file():
        tables = sorted(entry.name for entry in path.parent.glob("*.csv"))
        others = f"; the folder has {listing(tables)}" if tables else ""
        folder = "" if path.parent.is_dir() else f"; there is no folder {path.parent}{_nearest_folder(path.parent)}"
        problems.add(MISSING_FILES, f"{path}: no such file{folder}{others}")
        return None
    table = read_table(path, problems, encoding, picture_columns)
    if table is None:
        return None
    columns = pd.Index([normal_text(column) for column in table.header])
    frame = pd.DataFrame(table.rows, columns=columns, index=pd.Index(table.lines, dtype="int64"), dtype=str)
    frame = frame.loc[:, columns != ""]
    if frame.columns.has_duplicates:
        problems.add("duplicate columns", f"{path}: {listing(frame.columns[frame.columns.duplicated()])}")
        return None
    return frame


def _nearest_folder(folder: Path) -> str:
    """The end of a message about a missing folder: the existing folder of the most similar name, if any."""
    if not folder.parent.is_dir():
        return ""
    return did_you_mean(folder.name, [entry.name for entry in folder.parent.iterdir() if entry.is_dir()])


def _read_parts(
    paths: Sequence[Path], problems: Problems, picture_columns: Sequence[str], encoding: str
) -> pd.DataFrame | None:
    """The rows of the hosts' CSVs in one table, indexed by line and folder of their file.

    None if a file cannot be read or has other columns than the first.
    """
    frames: list[pd.DataFrame] = []
    for path in paths:
        frame = _read_frame(path, problems, picture_columns, encoding)
        if frame is None:
            return None
        if frames and list(frame.columns) != list(frames[0].columns):
            expected = f"expected {listing(frames[0].columns)}, as in {paths[0]}"
            problems.add(DIFFERENT_PARTS, f"{path}: has the columns {listing(frame.columns)}, {expected}")
            return None
        frames.append(frame.set_axis([f"{line} of {path.parent.name}" for line in frame.index]))
    return pd.concat(frames)


def _read_names(cells: pd.Series, path: Path, problems: Problems) -> pd.Series:
    """Names of images, normalised for comparison. Empty and duplicate names are problems."""
    names = cells.map(normal_text)
    for row in names.index[names == ""]:
        problems.add("rows without an image name", f"{path} row {row}")
    duplicates = names[names.duplicated(keep=False) & (names != "")]
    for name, rows in duplicates.groupby(duplicates, sort=False):
        problems.add(DUPLICATE_NAMES, f"{path} {rows_text(rows.index)}: {name!r}")
    return names
