"""Text tables and progress bars. Widths are in columns of a terminal, where a Korean letter takes two.

The libraries for them are imported on first use.
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
    """Formats a table as plain text: a line of headers, a line of dashes, then one line per row.

    Args:
        headers: One per column.
        rows: The values of each row, one per column.
        right: Indices of the columns to align right.
        style: A table format of tabulate, such as "simple", or "pipe" for Markdown.
    """
    from tabulate import tabulate

    alignment = ["right" if number in right else "left" for number in range(len(headers))]
    return tabulate(list(rows), headers, style, disable_numparse=True, colalign=alignment)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 epoch`, `1,200 batches`."""
    plural = "" if number == 1 else "es" if noun.endswith(("s", "tch")) else "s"
    return f"{number:,} {noun}{plural}"


def table_width(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Width of `text_table` on a terminal, in columns."""
    from tabulate import MIN_PADDING

    columns = zip(*rows) if rows else [()] * len(headers)
    widths = [
        max(text_width(header) + MIN_PADDING, *map(text_width, texts), 0) for header, texts in zip(headers, columns)
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def text_width(text: str) -> int:
    """Width of a text's widest line on a terminal, in columns."""
    from wcwidth import wcswidth

    return max(map(wcswidth, text.split("\n")))


def shortened(text: str, width: int) -> str:
    """Shortens a text to `width` columns of a terminal, if necessary: removes its middle."""
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
    description: str, total: int | None = None, *, done: int = 0, unit: str = " images", shown: bool = True
) -> tqdm[Never]:
    """A tqdm bar on stderr with count, rate and remaining time. It is erased at its end.

    Args:
        description: What is in progress.
        total: Number of items; None if it is unknown.
        done: Number of items that were finished before.
        unit: Name of the items; "B" for bytes, which are shown as kB, MB and so on.
        shown: False for no bar, for example on ranks other than 0. Without a terminal there is never a bar.
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
