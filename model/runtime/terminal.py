"""Text tables and progress bars. Widths are those on a terminal, where a Korean letter takes two columns; what makes
them is imported when the first is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from tqdm import tqdm


def text_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], right: Container[int] = (), style: str = "simple"
) -> str:
    """A table as plain text: a line of headers, a line of dashes, a line a row.

    Args:
        headers: One a column.
        rows: Cells, as many as there are headers.
        right: Numbers of the columns to align on the right.
        style: A table format of tabulate: "simple", or "pipe" for Markdown.
    """
    from tabulate import tabulate

    alignment = ["right" if number in right else "left" for number in range(len(headers))]
    return tabulate(list(rows), headers, style, disable_numparse=True, colalign=alignment)


def counted(number: int, noun: str) -> str:
    """`1 epoch` or `1,200 batches`."""
    plural = "" if number == 1 else "es" if noun.endswith(("s", "tch")) else "s"
    return f"{number:,} {noun}{plural}"


def table_width(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The columns of the terminal that `text_table` takes."""
    from tabulate import MIN_PADDING

    cells = zip(*rows) if rows else [()] * len(headers)
    widths = [
        max(text_width(header) + MIN_PADDING, *map(text_width, texts), 0) for header, texts in zip(headers, cells)
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def text_width(text: str) -> int:
    """The columns of the terminal that the widest line of a text takes."""
    from wcwidth import wcswidth

    return max(map(wcswidth, text.split("\n")))


def shortened(text: str, width: int) -> str:
    """A text without its middle, where it takes more columns of the terminal than `width`."""
    if text_width(text) <= width:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while text_width(f"{head}…{tail}") > width:
        if text_width(head) > text_width(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def progress_bar(
    description: str, total: int | None = None, *, done: int = 0, unit: str = " pictures", shown: bool = True
) -> tqdm[Never]:
    """A tqdm bar on stderr with count, rate and time left, which is erased at its end.

    Args:
        description: What is in progress.
        total: Number of items; None where it is unknown.
        done: Number of items that were done before.
        unit: Name of the items; "B" for bytes, which are shown as kB, MB and so on.
        shown: False for no bar, as on every rank but the first. Without a terminal there is never one.
    """
    from tqdm import tqdm

    hidden = not (shown and sys.stderr.isatty())
    return tqdm(
        desc=description,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=unit == "B",
        leave=False,
        dynamic_ncols=True,
        disable=hidden,
    )
