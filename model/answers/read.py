"""Tables of pictures and classes as text: truth, answers and probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.data.readers.csv_table import read_csv
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import Scheme, normal_text
from model.metrics.scores import NO_ANSWER

ANSWER_COLUMNS = ("ans", "y_pred", "label")

TWICE = "pictures that stand twice"
UNKNOWN = "unknown classes"
MISSING = "missing files"
COLUMNS = "missing columns"
PARTS = "parts that do not agree"


@dataclass(frozen=True)
class Cells:
    """One table's column of pictures' names and that of classes, as text; all indexed by the file's lines."""

    file: Path
    names: pd.Series
    values: pd.Series
    table: pd.DataFrame

    def classes(self, scheme: Scheme, problems: Problems, numbers_first: bool = False) -> np.ndarray:
        """int64, -1 where a cell is empty. Cells that name no class of the scheme are told. numbers_first: where the
        names of classes are numbers, a number is the class's own, as in the answers of inference; else it is a name.
        """
        code: dict[str, int] = {"": NO_ANSWER}
        for value in self.values.unique():
            if numbers_first and value.isdecimal() and int(value) < scheme.num_classes:
                code[value] = int(value)
            elif value not in code:
                try:
                    code[value] = scheme.class_of(value)
                except ValueError as error:
                    where = self.values.index[self.values == value]
                    problems.add(UNKNOWN, f"{self.file} {rows_text(where)}: {error}")
                    code[value] = NO_ANSWER
        return self.values.map(code).to_numpy(dtype=np.int64)


def read_cells(path: Path, problems: Problems, parts: Sequence[Path] = ()) -> Cells | None:
    """A table of pictures and classes; None where its columns cannot be had. All of its problems are told. parts: the
    files whose rows are its own, one after the other, where it is not there itself."""
    table = read_parts(parts, problems) if parts else read_frame(path, problems)
    if table is None:
        return None
    picture = find_column(table, PICTURE_COLUMNS, "pictures", path, problems)
    answer = find_column(table, ANSWER_COLUMNS, "classes", path, problems)
    if picture is None or answer is None:
        return None
    names = read_names(table[picture], path, problems)
    return Cells(path, names, table[answer].map(normal_text), table)


def read_frame(path: Path, problems: Problems) -> pd.DataFrame | None:
    """A CSV with its cells as text, indexed by the file's lines; None where it cannot be read, which is told."""
    if not path.is_file():
        there = sorted(entry.name for entry in path.parent.glob("*.csv"))
        beside = f"; tables beside it: {listing(there)}" if there else ""
        folder = "" if path.parent.is_dir() else f"; there is no folder {path.parent}"
        problems.add(MISSING, f"{path}: no such file{folder}{beside}")
        return None
    table = read_csv(path, problems)
    if table is None:
        return None
    columns = pd.Index([normal_text(column) for column in table.header])
    if columns.has_duplicates:
        problems.add("columns that stand twice", f"{path}: {listing(columns[columns.duplicated()])}")
        return None
    return pd.DataFrame(table.rows, columns=columns, index=pd.Index(table.lines, dtype="int64"), dtype=str)


def read_parts(paths: Sequence[Path], problems: Problems) -> pd.DataFrame | None:
    """The rows of several CSVs of one kind, each named by its line and its file's folder. None, and problems told,
    where one cannot be read or has other columns than the first."""
    frames: list[pd.DataFrame] = []
    for path in paths:
        frame = read_frame(path, problems)
        if frame is None:
            return None
        if frames and list(frame.columns) != list(frames[0].columns):
            told = f"expected {listing(frames[0].columns)}, as in {paths[0]}"
            problems.add(PARTS, f"{path}: its columns are {listing(frame.columns)}, {told}")
            return None
        frames.append(frame.set_axis([f"{line} of {path.parent.name}" for line in frame.index]))
    return pd.concat(frames)


def find_column(table: pd.DataFrame, known: Sequence[str], what: str, path: Path, problems: Problems) -> str | None:
    """The first of the known names that the table has; None, and a problem told, where it has none."""
    column = column_named(table.columns, *known)
    if column is None:
        close = next((hint for hint in (did_you_mean(name, table.columns) for name in known) if hint), "")
        expected = " or ".join(known)
        problems.add(
            COLUMNS, f"{path}: no column of {what}: expected {expected}, found {listing(table.columns)}{close}"
        )
    return column


def read_names(cells: pd.Series, path: Path, problems: Problems) -> pd.Series:
    """Names of pictures as they are compared. Empty ones and those that stand twice are told."""
    names = cells.map(normal_text)
    for row in names.index[names == ""]:
        problems.add("rows without a picture's name", f"{path} row {row}")
    again = names[names.duplicated(keep=False) & (names != "")]
    for name, rows in again.groupby(again, sort=False):
        problems.add(TWICE, f"{path} {rows_text(rows.index)}: {name!r}")
    return names


def rows_text(rows: Iterable[int]) -> str:
    """`row 3` or `rows 3, 8`."""
    numbers = list(rows)
    return f"row{'s' if len(numbers) > 1 else ''} {listing(numbers, 5)}"


ROUNDING = 1e-6  # averages of float32 probabilities may be this much above 1


def read_probabilities(path: Path, problems: Problems, parts: Sequence[Path] = ()) -> pd.DataFrame | None:
    """By picture (the index, named as its column), a float column a class; rows of NaN where all cells are empty. None
    where the file cannot be read. parts: as of read_cells."""
    table = read_parts(parts, problems) if parts else read_frame(path, problems)
    if table is None:
        return None
    picture = find_column(table, PICTURE_COLUMNS, "pictures", path, problems)
    if picture is None:
        return None
    names = read_names(table.pop(picture), path, problems)
    numbers = np.full(table.shape, np.nan)
    for at, (row, cells) in enumerate(zip(table.index, table.to_numpy())):
        if not any(cells):
            continue  # inference could not read the picture
        numbers[at] = [_number(cell) for cell in cells]
        wrong = np.flatnonzero(~((numbers[at] > -ROUNDING) & (numbers[at] < 1 + ROUNDING)))
        if len(wrong):
            told = f"{table.columns[wrong[0]]} = {cells[wrong[0]] or 'an empty cell'}, expected 0 to 1"
            problems.add("not probabilities", f"{path} row {row}: {told}")
    return pd.DataFrame(numbers, index=pd.Index(names, name=picture), columns=table.columns)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_scheme(path: Path, problems: Problems) -> Scheme | None:
    """The scheme of a labels.json, None where it cannot be read."""
    try:
        return Scheme.from_dict(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        problems.add(MISSING, f"{path}: {error.strerror}")
    except ValueError as error:
        problems.add("unreadable files", f"{path} is not JSON: {error}")
    except InputError as error:
        problems.add("unreadable files", f"{path}: {error}")
    return None
