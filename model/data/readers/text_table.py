"""TextTable: a table of text with a header, delimited by commas, semicolons or tabs.

read_table reads all tables: of training, of inference, ground truth and predictions.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.data.readers.text_files import LINE_END, read_beginning, read_text
from model.errors import Problems

DELIMITERS = (",", ";", "\t")
CSV_SUFFIXES = (".csv", ".tsv")
SEPARATOR_LINE = "sep="  # first line of Excel that sets the delimiter

csv.field_size_limit(sys.maxsize)  # masks, polygons and base64 are longer than Python's limit of 131,072 characters


@dataclass
class TextTable:
    """A table as text.

    Attributes:
        name: Name of the file.
        header: Names of the columns.
        rows: Values of each row, one per column.
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


class TableCache:
    """Tables that were read to detect a channel's layout, so that they are not read again for their rows."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[TextTable | None, Problems]] = {}

    def read(
        self, name: str, read: Callable[[Problems], TextTable | None], problems: Problems, keep: bool
    ) -> TextTable | None:
        """The table of that name from the cache, which it is removed from; if it is not in the cache, reads it.

        Args:
            name: Path of the table below the channel.
            read: Reads the table; its argument collects what is wrong.
            problems: Gets the problems of the table, even if it was in the cache.
            keep: Whether the table stays in the cache for the next call.
        """
        if name in self._tables:
            table, own = self._tables.pop(name)
        else:
            own = Problems(name)
            table = read(own)
        problems.extend(own)
        if keep:
            self._tables[name] = table, own
        return table


def read_table(
    path: Path,
    problems: Problems,
    encoding: str = "utf-8",
    picture_columns: Sequence[str] = PICTURE_COLUMNS,
    name: str = "",
) -> TextTable | None:
    """Reads a table as text. Blank lines, and empty values at the end of a row beyond the header, are ignored.

    A row with more or fewer values than the header is a problem and is skipped.

    Args:
        path: The file.
        problems: Collects what is wrong with it.
        encoding: Encoding of a file without a byte-order mark.
        picture_columns: Possible names of the column of image names, by which the delimiter is recognised.
        name: Name of the file in messages; default: its file name.

    Returns:
        The table; None, and a problem, if the file is unreadable or empty.
    """
    text = read_text(path, problems, encoding)
    name = name or path.name
    if text is None:
        return None
    table: TextTable | None = None
    try:
        for line, values in table_rows(text, picture_columns):
            if table is None:
                table = TextTable(name, values)
                continue
            values = _fitted(values, table.header)
            if len(values) == len(table.header):
                table.rows.append(values)
                table.lines.append(line)
            else:
                detail = f"{name} row {line}: {len(values)} values, the header has {len(table.header)}"
                problems.add("row with too few or too many values", detail)
    except csv.Error as error:
        problems.add("invalid CSV", f"{name} {error}")
    if table is None:
        problems.add("empty table", name)
    return table


def table_header(path: Path, encoding: str = "utf-8", picture_columns: Sequence[str] = PICTURE_COLUMNS) -> list[str]:
    """The columns of a table, read from the beginning of the file; empty if it is unreadable.

    Arguments: see read_table.
    """
    try:
        return next((values for _, values in table_rows(read_beginning(path, encoding), picture_columns)), [])
    except csv.Error:
        return []


def delimiter_of(header: str, picture_columns: Sequence[str] = PICTURE_COLUMNS) -> str:
    """The delimiter of a table with this header.

    It is the delimiter with which the header contains a column of image names, otherwise the one that results in most
    columns; if equal, the first of DELIMITERS.

    Args:
        header: The first line of the table.
        picture_columns: Possible names of the column of image names.
    """
    columns = {delimiter: next(csv.reader([header], delimiter=delimiter), []) for delimiter in DELIMITERS}
    with_images = [
        delimiter
        for delimiter, names in columns.items()
        if len(names) > 1 and column_named(names, *picture_columns) is not None
    ]
    return max(with_images or DELIMITERS, key=lambda delimiter: len(columns[delimiter]))


def table_rows(text: str, picture_columns: Sequence[str] = PICTURE_COLUMNS) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line, from 1, and the values of each row that is not blank. csv.Error names the row."""
    first = _first_line(text)
    has_separator_line = first.lower().startswith(SEPARATOR_LINE) and len(first) == len(SEPARATOR_LINE) + 1
    delimiter = first[-1] if has_separator_line else delimiter_of(first, picture_columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    previous = 0  # the line at which the previous row ended
    try:
        for values in reader:
            line, previous = previous + 1, reader.line_num
            if any(values) and any(value.strip() for value in values):
                if has_separator_line:
                    has_separator_line = False
                else:
                    yield line, values
    except csv.Error as error:
        raise csv.Error(f"row {previous + 1}: {error}") from None


def _first_line(text: str) -> str:
    """The first line that is not blank, without its end."""
    start = 0
    while start < len(text):
        end = LINE_END.search(text, start)
        line = text[start : end.start() if end else len(text)]
        # A line that contains only delimiters is a blank row
        if line.strip("".join(DELIMITERS) + ' "'):
            return line
        start = end.end() if end else len(text)
    return ""


def _fitted(values: list[str], header: list[str]) -> list[str]:
    """The values of a row, without empty values beyond the header, and with empty values for missing columns at the
    end that have no name: spreadsheets write such rows."""
    count = len(header)
    if len(values) > count and not any(values[count:]):
        return values[:count]
    if len(values) < count and not any(header[len(values) :]):
        return values + [""] * (count - len(values))
    return values
