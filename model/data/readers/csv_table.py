"""Layout `csv`: a CSV with a row per image. Also read_csv, which reads any CSV as text with its line numbers."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from model.data.readers.channel_files import ChannelFiles, Kind
from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.data.readers.profile_folders import ProfileEntry, read_profile_entries
from model.data.readers.rows import ImageFinder, Rows
from model.data.readers.text_files import read_text
from model.errors import Problems, did_you_mean, listing


@dataclass
class TextTable:
    """A CSV as text.

    Attributes:
        name: Name of the file.
        header: Names of the columns.
        rows: Values of each row, as many as there are columns.
        lines: Line of the file, from 1, at which each row begins.
    """

    name: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def origin(self, row: int) -> str:
        """`train.csv row 7`: the file and the line of a row."""
        return f"{self.name} row {self.lines[row]}"

    def column(self, name: str) -> list[str]:
        """The values of a column."""
        index = self.header.index(name)
        return [values[index] for values in self.rows]


def read_csv(path: Path, problems: Problems) -> TextTable | None:
    """Reads a CSV in UTF-8 as text; a byte-order mark and blank lines are ignored.

    A row with more or fewer values than the header is a problem and left out. None, and a problem, where the file is
    no CSV at all.
    """
    text = read_text(path, problems)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    table: TextTable | None = None
    previous = 0  # the line at which the previous row ended
    try:
        for values in reader:
            line, previous = previous + 1, reader.line_num
            if not any(values) or not any(value.strip() for value in values):
                continue
            if table is None:
                table = TextTable(path.name, values)
            elif len(values) == len(table.header):
                table.rows.append(values)
                table.lines.append(line)
            else:
                detail = f"{path.name} row {line}: {len(values)} cells, the header has {len(table.header)}"
                problems.add("row with too few or too many cells", detail)
    except csv.Error as error:
        problems.add("table that is no CSV", f"{path.name} row {previous + 1}: {error}")
    if table is None:
        problems.add("empty table", path.name)
    return table


def csv_header(path: Path) -> list[str]:
    """The columns of a CSV, as far as its first lines can be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return next((values for values in csv.reader(lines) if any(value.strip() for value in values)), [])
    except (OSError, csv.Error):
        return []


def has_picture_column(path: Path, picture_column: str | None) -> bool:
    """Whether a CSV has the column of image names: the one of that name, else one of PICTURE_COLUMNS."""
    return column_named(csv_header(path), *([picture_column] if picture_column else PICTURE_COLUMNS)) is not None


def picture_column_of(table: TextTable, picture_column: str | None, problems: Problems) -> str | None:
    """The column of image names: the one of that name, else one of PICTURE_COLUMNS. None, and a problem, where the
    table has no such column."""
    column = column_named(table.header, *([picture_column] if picture_column else PICTURE_COLUMNS))
    if column is None:
        columns = listing(table.header)
        if picture_column:
            near = did_you_mean(picture_column, table.header)
            detail = f"{table.name} has no column {picture_column!r}; there are {columns}{near}"
        else:
            expected = listing(PICTURE_COLUMNS)
            detail = f"{table.name} has none of {expected}; there are {columns}; name it by picture_column"
        problems.add("missing picture column", detail)
    return column


def read_csv_rows(files: ChannelFiles, name: str, picture_column: str | None, problems: Problems) -> Rows | None:
    """Reads the CSV of that name: a row per image or, as in the mask competition's train.csv, per profile folder.

    None, and a problem, where it is no CSV.
    """
    table = read_csv(files.root / name, problems)
    if table is None:
        return None
    names_column = picture_column_of(table, picture_column, problems)
    duplicates = {column for column in table.header if column and table.header.count(column) > 1}
    if duplicates:
        problems.add("column that stands twice", f"{name}: {listing(sorted(duplicates))}")
    columns = [column for column in table.header if column not in (names_column, "")]
    rows = Rows(f"CSV {name}", columns={column: [] for column in columns})
    if names_column is None:
        return rows

    finder = ImageFinder(files, problems)
    entries: list[tuple[int, Kind, str]] = []
    for row, text in enumerate(table.column(names_column)):
        image = finder.find(text, table.origin(row))
        if image:
            entries.append((row, *image))
    if any(kind == "folder" for _, kind, _ in entries):
        profile_entries = (
            ProfileEntry(table.origin(row), kind, path, dict(zip(table.header, table.rows[row])))
            for row, kind, path in entries
        )
        return read_profile_entries(files, name, columns, profile_entries, problems)
    rows.paths = [path for _, _, path in entries]
    rows.origins = [table.origin(row) for row, _, _ in entries]
    for column in columns:
        texts = table.column(column)
        rows.columns[column] = [texts[row] for row, _, _ in entries]
    return rows
