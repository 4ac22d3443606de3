"""TextTable: a table of text with a header, delimited by commas, semicolons or tabs. One function reads every table:
of training, of inference, truth and answers.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.data.readers.columns import PICTURE_COLUMNS, column_named
from model.data.readers.text_files import LINE_END, read_beginning, read_text
from model.errors import Problems

DELIMITERS = (",", ";", "\t")
CSV_SUFFIXES = (".csv", ".tsv")
SEPARATOR_LINE = "sep="  # Excel's first line, which names the delimiter

csv.field_size_limit(sys.maxsize)  # masks, polygons and base64 in a cell are longer than Python's 131,072 characters


@dataclass
class TextTable:
    """A table as text.

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


def read_table(
    path: Path,
    problems: Problems,
    encoding: str = "utf-8",
    picture_columns: Sequence[str] = PICTURE_COLUMNS,
    name: str = "",
) -> TextTable | None:
    """Reads a table as text; blank lines are ignored, and empty cells at the end of a row beyond the header.

    A row with more or fewer values than the header is a problem and left out. None, and a problem, where the file is
    no table at all.

    Args:
        path: The file.
        problems: Collects what is wrong with it.
        encoding: Encoding of a file without a byte-order mark.
        picture_columns: Names that the column of image names may have, by which the delimiter is recognised.
        name: What messages call the file; by default its name.
    """
    text = read_text(path, problems, encoding)
    name = name or path.name
    if text is None:
        return None
    table: TextTable | None = None
    try:
        for line, values in _rows(text, picture_columns):
            if table is None:
                table = TextTable(name, values)
                continue
            values = _fitted(values, table.header)
            if len(values) == len(table.header):
                table.rows.append(values)
                table.lines.append(line)
            else:
                detail = f"{name} row {line}: {len(values)} cells, the header has {len(table.header)}"
                problems.add("row with too few or too many cells", detail)
    except csv.Error as error:
        problems.add("table that is no CSV", f"{name} {error}")
    if table is None:
        problems.add("empty table", name)
    return table


def table_header(path: Path, encoding: str = "utf-8", picture_columns: Sequence[str] = PICTURE_COLUMNS) -> list[str]:
    """The columns of a table, as far as its beginning can be read; empty where it cannot."""
    try:
        return next((values for _, values in _rows(read_beginning(path, encoding), picture_columns)), [])
    except csv.Error:
        return []


def delimiter_of(header: str, picture_columns: Sequence[str] = PICTURE_COLUMNS) -> str:
    """The delimiter of a table by its header: the one with which a column of image names is there, else the one of most
    columns; a comma where several are alike."""
    columns = {delimiter: next(csv.reader([header], delimiter=delimiter), []) for delimiter in DELIMITERS}
    with_pictures = [
        delimiter
        for delimiter, names in columns.items()
        if len(names) > 1 and column_named(names, *picture_columns) is not None
    ]
    return max(with_pictures or DELIMITERS, key=lambda delimiter: len(columns[delimiter]))


def _rows(text: str, picture_columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The line at which each row that is not blank begins, from 1, and its values. csv.Error names the row."""
    first = _first_line(text)
    named = first.lower().startswith(SEPARATOR_LINE) and len(first) == len(SEPARATOR_LINE) + 1
    delimiter = first[-1] if named else delimiter_of(first, picture_columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    previous = 0  # the line at which the previous row ended
    try:
        for values in reader:
            line, previous = previous + 1, reader.line_num
            if any(values) and any(value.strip() for value in values):
                if named:
                    named = False
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
        # a line of delimiters alone is a blank row
        if line.strip("".join(DELIMITERS) + ' "'):
            return line
        start = end.end() if end else len(text)
    return ""


def _fitted(values: list[str], header: list[str]) -> list[str]:
    """The values of a row without the empty ones beyond the header, and with those that only columns without a name
    lack: spreadsheets write both."""
    count = len(header)
    if len(values) > count and not any(values[count:]):
        return values[:count]
    if len(values) < count and not any(header[len(values) :]):
        return values + [""] * (count - len(values))
    return values
