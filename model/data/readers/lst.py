"""Layout `lst`: SageMaker's and MXNet's list of images, with numbers as labels."""

from __future__ import annotations

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.rows import ImageFinder, Rows
from model.data.readers.table_options import TableOptions
from model.data.readers.text_files import read_lines
from model.errors import Problems


def read_lst_rows(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows:
    """Reads the .lst of that name: index, label (or several) and relative path, separated by tabs.

    The label columns are called label, or label1, label2, ... The last column is the path, whatever the options say.

    Reference: the input interface of SageMaker's built-in image classification, and MXNet's im2rec.
    """
    rows = Rows(f"list {name}")
    finder = ImageFinder(files, problems, name, options.missing)
    labels: list[list[str]] = []
    for line, text in read_lines(files.root / name, problems, options.encoding):
        origin = f"{name} row {line}"
        values = text.split("\t")
        if len(values) < 3 or (labels and len(values) != len(labels[0]) + 2):
            expected = "number, label, path" if not labels else f"{len(labels[0]) + 2} cells as in the first row"
            problems.add("row with too few or too many cells", f"{origin}: {text!r}, expected {expected}, tabs between")
            continue
        path = finder.find_file(values[-1], origin)
        if path is not None:
            rows.paths.append(path)
            rows.origins.append(origin)
            labels.append(values[1:-1])
    finder.finish()
    columns = list(zip(*labels))
    rows.label_columns = tuple(f"label{i + 1}" for i in range(len(columns))) if len(columns) > 1 else ("label",)
    rows.columns = {column: list(texts) for column, texts in zip(rows.label_columns, columns or [()])}
    return rows
