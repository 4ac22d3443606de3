"""Terminal output while a job runs: printed lines, a table of training's epochs, and a yes/no question."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.spec.metrics import metric_definitions
from model.metrics.epoch_metrics import metrics_of_line

PrintLine = Callable[[str], None]

HEADER_ROWS = 20  # rows of the table between two headers
COLUMN_WIDTH = 10  # smallest width of a column, characters


def print_line(line: str) -> None:
    """Prints a line immediately, even if stdout is a file or a pipe."""
    print(line, flush=True)


def confirmed(question: str) -> bool:
    """Asks a question on the terminal; returns whether the answer is y or yes. True without a terminal."""
    if not sys.stdin.isatty():
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


@dataclass
class MetricTable:
    """Formats training's epoch lines as rows of a table, with a header every HEADER_ROWS rows."""

    rows: int = 0
    patterns: Mapping[str, re.Pattern[str]] = field(
        default_factory=lambda: {metric["Name"]: re.compile(metric["Regex"]) for metric in metric_definitions()}
    )

    def row(self, line: str) -> list[str] | None:
        """Returns the lines to print instead of a log line, None if it is not an epoch's line."""
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
