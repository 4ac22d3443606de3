"""Layout `list`: a path and one or more labels per line, without a header, such as the train.txt of many data sets."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.columns import column_named
from model.data.readers.csv_table import read_csv_rows, rows_of_table
from model.data.readers.image_names import IMAGE_SUFFIXES, is_image
from model.data.readers.rows import Rows
from model.data.readers.table_options import TableOptions
from model.data.readers.text_files import read_lines
from model.data.readers.text_table import DELIMITERS, TextTable, table_header
from model.errors import Problems

PATH, LABEL = "path", "label"
IMAGE_AND_LABELS = re.compile(rf"(.*?(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))}))(?:\s+(.*))?", re.IGNORECASE)


def read_path_list(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows | None:
    """Reads the rows of a list. The label columns are called label, label_2, ... A file with a header is read as a CSV.

    Args:
        files: The channel.
        name: Path of the list below the channel.
        options: How tables are read.
        problems: Collects what is wrong.

    Returns:
        The rows; None, and a problem, if the file has no lines.
    """
    if has_header(files.root / name, options):
        return read_csv_rows(files, name, options, problems)
    table = read_channel_list(files, name, options, problems)
    if table is None:
        return None
    labels = tuple(table.header[1:])
    if not labels:
        problems.add("list without labels", f"{name}: expected a path and a label in each line, as in a.jpg 1")
    rows = rows_of_table(files, table, PATH, f"list {name}", options, problems)
    rows.label_columns = labels
    return rows


def has_header(path: Path, options: TableOptions) -> bool:
    """Whether the first row of a file contains the name of a column of image names."""
    header = table_header(path, options.encoding, options.picture_columns)
    return column_named(header, *options.picture_columns) is not None


def begins_with_image(path: Path, options: TableOptions) -> bool:
    """Whether the first row of a file begins with an image name, so that it is not a header."""
    header = table_header(path, options.encoding, options.picture_columns)
    return bool(header) and IMAGE_AND_LABELS.fullmatch(header[0].strip()) is not None


def read_channel_list(
    files: ChannelFiles, name: str, options: TableOptions, problems: Problems, keep: bool = False
) -> TextTable | None:
    """Reads a list of the channel; None, and a problem, if it is invalid. Arguments: see read_channel_table."""
    return files.lists.read(name, lambda own: read_list(files.root / name, own, options.encoding, name), problems, keep)


def read_list(path: Path, problems: Problems, encoding: str, name: str) -> TextTable | None:
    """Reads a list as a table with the columns path, label, label_2, ...

    Fields, with or without quotes, are separated by commas, semicolons or tabs if most lines then have as many fields
    as the first, otherwise by white space (a path may contain white space). A line with more or fewer fields than the
    first is a problem and is skipped.

    Args:
        path: The file.
        problems: Collects what is wrong with it.
        encoding: Encoding of a file without a byte-order mark.
        name: Name of the file in messages.
    """
    lines = read_lines(path, problems, encoding)
    if not lines:
        return None
    rows = list(_fields([text for _, text in lines]))
    count = len(rows[0])
    header = [PATH, LABEL, *(f"{LABEL}_{number}" for number in range(2, count))][:count]
    table = TextTable(name, header)
    for (line, text), values in zip(lines, rows):
        if len(values) == count:
            table.rows.append(values)
            table.lines.append(line)
        else:
            detail = f"{name} row {line}: {text.strip()!r} has {len(values)} fields, the first row has {count}"
            problems.add("row with too few or too many fields", detail)
    return table


def _fields(lines: Sequence[str]) -> Iterator[list[str]]:
    """The path and the labels of each line."""
    first = lines[0].strip()
    for delimiter in DELIMITERS:
        rows = [_delimited(line, delimiter) for line in lines]
        count = len(rows[0])
        is_path = is_image(rows[0][0]) or not IMAGE_AND_LABELS.fullmatch(first)
        if count > 1 and is_path and 2 * sum(len(fields) == count for fields in rows) > len(rows):
            yield from rows
            return
    for line in map(str.strip, lines):
        # The path ends with the extension of an image; without one, it ends before the last field
        match = IMAGE_AND_LABELS.fullmatch(line)
        yield [match[1], *(match[2] or "").split()] if match else line.rsplit(None, 1)


def _delimited(line: str, delimiter: str) -> list[str]:
    """The fields of a line; a field in quotes may contain the delimiter."""
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
