"""Layout `lst`: SageMaker's and MXNet's list of images, with numbers as labels."""

from __future__ import annotations

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.rows import ImageFinder, Rows
from model.data.readers.table_options import TableOptions
from model.data.readers.text_files import read_lines
from model.data.readers.text_table import TextTable
from model.errors import Problems

INDEX, LABEL, PATH = "index", "label", "path"


def read_lst_rows(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows:
    """Reads the rows of a .lst: index, one or more labels, and relative path, separated by tabs.

    The label columns are called label, or label1, label2, ... The last column is always the path.

    Reference: the input interface of SageMaker's built-in image classification, and MXNet's im2rec.

    Args:
        files: The channel.
        name: Path of the .lst below the channel.
        options: How tables are read.
        problems: Collects what is wrong.
    """
    table = read_lst_table(files, name, options, problems)
    rows = Rows(f"list {name}")
    finder = ImageFinder(files, problems, name, options.missing)
    labels: list[list[str]] = []
    for row, values in enumerate(table.rows):
        path = finder.find_file(values[-1], table.origin(row))
        if path is not None:
            rows.paths.append(path)
            rows.origins.append(table.origin(row))
            labels.append(values[1:-1])
    finder.finish()
    rows.label_columns = tuple(table.header[1:-1])
    columns = list(zip(*labels)) or [()] * len(rows.label_columns)
    rows.columns = {column: list(texts) for column, texts in zip(rows.label_columns, columns)}
    return rows


def read_lst_table(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> TextTable:
    """Reads a .lst as a table with one row per line; the column `path` has the image names.

    A line with too few or too many values is a problem and is skipped. Arguments: those of read_lst_rows.
    """
    table = TextTable(name, [INDEX, LABEL, PATH])
    for line, text in read_lines(files.root / name, problems, options.encoding):
        values = text.split("\t")
        count = len(table.rows[0]) if table.rows else max(3, len(values))
        if len(values) != count:
            expected = f"{count} values as in the first row" if table.rows else "number, label, path"
            detail = f"{name} row {line}: {text!r}, expected {expected}, separated by tabs"
            problems.add("row with too few or too many values", detail)
            continue
        table.rows.append(values)
        table.lines.append(line)
    labels = len(table.rows[0]) - 2 if table.rows else 1
    if labels > 1:
        table.header = [INDEX, *(f"{LABEL}{number}" for number in range(1, labels + 1)), PATH]
    return table
