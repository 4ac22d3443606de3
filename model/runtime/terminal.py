"""Text tables, and progress bars on the terminal, both by rich; rich is imported when the first of them is needed."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Container, Iterable, Sequence
from typing import Self

UNLIMITED = 1 << 20  # columns of a table without a width: more than any table has
REFRESH_SECONDS = 0.1

log = logging.getLogger("rarebird")


def text_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Container[int] = (),
    width: int | None = None,
) -> str:
    """A table as plain text: a line of headers, a line of dashes, a line a row, two spaces between the columns.

    Widths are counted in columns of the terminal, where a Korean letter takes two. A cell may have several lines.

    Args:
        headers: One a column.
        rows: Of as many cells as there are headers.
        right: Numbers of the columns to align on the right.
        width: Widest that the table may be: cells are wrapped to fit. None for as wide as the cells are.
    """
    from rich.console import Console
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for number in range(len(headers)):
        side = "right" if number in right else "left"
        table.add_column(justify=side, no_wrap=width is None, overflow="fold")  # type: ignore[arg-type]
    table.add_row(*map(Text, headers))
    table.add_row(*[Rule(characters="-", style="") for _ in headers])
    for row in rows:
        table.add_row(*map(Text, row))  # Text: no cell is read as markup
    console = Console(file=io.StringIO(), width=width or UNLIMITED, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def text_width(text: str) -> int:
    """Columns of the terminal that the widest line of a text takes."""
    from rich.cells import cell_len

    return max(map(cell_len, text.split("\n")))


def shortened(text: str, width: int) -> str:
    """A text without its middle, where it takes more columns of the terminal than `width`."""
    from rich.cells import set_cell_size

    if text_width(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{set_cell_size(text, width - 1 - tail)}…{set_cell_size(text[::-1], tail)[::-1]}"


class ProgressBar:
    """A bar on stderr with the count, the rate and the time left; a context manager that erases it at its end.

    What the logger `rarebird` writes meanwhile goes above the bar, to whatever stream it goes.

    Args:
        description: What is in progress.
        total: Number of items; None where it is unknown.
        done: Number of items that were done before.
        unit: Name of the items in the plural; "B" for bytes, which are shown as kB, MB and so on.
        shown: False for no bar, as on every rank but the first. Without a terminal that can erase there is never one.
    """

    def __init__(
        self, description: str, total: int | None = None, *, done: int = 0, unit: str = "pictures", shown: bool = True
    ):
        self.unit, self.shown, self._refreshed = unit, False, 0.0
        if not shown or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TimeRemainingColumn

        console = Console(stderr=True)
        self.shown = console.is_interactive  # a dumb terminal cannot erase
        self._progress = Progress(
            "{task.description}",
            BarColumn(),
            "{task.fields[state]}",
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,  # by a thread: loader workers are forked while the bar is on the screen
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task(description, total=total, completed=done, state="")

    def __enter__(self) -> Self:
        if self.shown:
            log.addFilter(self._make_room)
            self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            log.removeFilter(self._make_room)
            self._progress.stop()

    def update(self, items: int) -> None:
        """Counts items that are done."""
        if self.shown:
            self._progress.advance(self._task, items)
            if time.monotonic() - self._refreshed >= REFRESH_SECONDS:
                self.refresh()

    def refresh(self) -> None:
        """Draws the bar."""
        if self.shown:
            self._refreshed = time.monotonic()
            self._progress.update(self._task, state=self._state())
            self._progress.start()  # does nothing unless a line of the log stopped it
            self._progress.refresh()

    def _state(self) -> str:
        from rich.filesize import decimal

        (task,) = self._progress.tasks
        rate = task.speed or 0
        if self.unit == "B":
            return f"{decimal(int(task.completed))}  {decimal(int(rate))}/s"
        total = "" if task.total is None else f"/{task.total:,}"
        return f"{task.completed:,}{total} {self.unit}  {rate:,.1f} {self.unit}/s"

    def _make_room(self, _: logging.LogRecord) -> bool:
        """A filter that keeps every record: erases the bar, so that the record's line does not continue it."""
        self._progress.stop()
        return True
