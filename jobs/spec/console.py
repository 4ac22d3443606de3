"""Lines of output while a job runs: the callable that prints one, training's epochs as a table, and a question."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.spec.metrics import metric_definitions
from model.metrics.epoch_metrics import metrics_of_line

PrintLine = Callable[[str], None]

HEADER_ROWS = 20  # rows of the table between two headers
COLUMN_WIDTH = 10  # characters, at least


def print_line(line: str) -> None:
    """Prints a line at once, also where stdout is a file or a pipe."""
    print(line, flush=True)


def confirmed(question: str) -> bool:
    """Whether the person at the terminal answers y or yes; True where there is no terminal to ask on."""
    if not sys.stdin.isatty():
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


@dataclass
class MetricTable:
    """Training's epoch lines as rows of a table, with a header before the first row and again after HEADER_ROWS."""

    rows: int = 0
    patterns: Mapping[str, re.Pattern[str]] = field(
        default_factory=lambda: {metric["Name"]: re.compile(metric["Regex"]) for metric in metric_definitions()}
    )

    def row(self, line: str) -> list[str] | None:
        """The lines to print in place of a log line, None where it is not an epoch's."""
        epoch = re.search(r"(?:^|: )epoch=(\d+) (?!step=)", line)
        matches = [pattern.search(line) for pattern in self.patterns.values()]
        if not epoch or not any(matches):
            return None
        columns = [
            (metric, match) for metric, match in zip(metrics_of_line(), matches) if match or not metric.on_request
        ]
        names = [metric.name if len(metric.name) <= COLUMN_WIDTH else metric.column for metric, _ in columns]
        headers = [f"{name:>{COLUMN_WIDTH}}" for name in names]
        values = [f"{match[1] if match else '':>{len(header)}}" for (_, match), header in zip(columns, headers)]
        lines = ["epoch  " + "  ".join(headers)] if self.rows % HEADER_ROWS == 0 else []
        self.rows += 1
        return [*lines, f"{epoch[1]:>5}  " + "  ".join(values)]
