"""Rows of corrections.csv as bytes: complete ones are parsed, new ones are formatted.

model.data.corrections has the format. It reads whole files; this module reads a file that grows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from model.atomic_write import LineFeeds
from model.attributes import normal_text
from model.data.corrections import ACTIONS, CORRECTION_COLUMNS, Correction

ENCODING = "utf-8"


def header_row() -> bytes:
    """The first row of a file."""
    return _row(CORRECTION_COLUMNS)


def correction_row(correction: Correction) -> bytes:
    """A row, with its line feed. Raises UnicodeEncodeError if a file name is not valid UTF-8."""
    return _row(correction.row())


def _row(values: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(LineFeeds(text), lineterminator="\r\n").writerow(values)
    return text.getvalue().encode(ENCODING)


def complete_rows(content: bytes) -> Iterator[tuple[list[str] | None, int]]:
    """Splits the content of a CSV file into rows.

    Args:
        content: Bytes of the file, from the start of a row.

    Yields:
        The values of each row, None if it is no valid CSV, and the number of bytes up to its end. A last row without
        line feed, or with a quotation mark that is not closed, is not complete and not yielded.
    """
    lines = content.split(b"\n")[:-1]
    position = 0

    def texts() -> Iterator[str]:
        nonlocal position
        for line in lines:
            position += len(line) + 1
            yield line.decode(ENCODING, "replace") + "\n"

    rows = csv.reader(texts(), strict=True)
    while True:
        try:
            yield next(rows), position
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return
            yield None, position


def as_correction(values: Sequence[str] | None, line: int) -> Correction | None:
    """The correction of a row; None if the row has other columns, an unknown action, or neither path nor group.

    Args:
        values: The values of the row.
        line: Number of the row in the file, from 1 for the header.
    """
    if values is None or len(values) != len(CORRECTION_COLUMNS):
        return None
    texts = {name: text if name == "path" else normal_text(text) for name, text in zip(CORRECTION_COLUMNS, values)}
    correction = Correction(**texts, line=line)
    return correction if correction.action in ACTIONS and (correction.path or correction.group) else None
