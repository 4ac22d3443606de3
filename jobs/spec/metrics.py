"""jobs/spec/metrics.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from model.metrics.epoch_metrics import METRIC_LINE

NUMBER = r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"


def metric_definitions() -> list[dict[str, str]]:
    """Regular expressions of the numbers in training's lines, `epoch=3 val_f1=0.8123; ...`."""
    return [{"Name": metric.name, "Regex": rf"\b{metric.name}={NUMBER};"} for metric in METRIC_LINE]


LAST_LINES = 20
WIDTH = 10  # of a column, at least


@dataclass
class MetricTable:
    """A row an epoch, of the metrics in its line; a header before the first, again after 20."""

    rows: int = 0
    patterns: Mapping[str, re.Pattern[str]] = field(
        default_factory=lambda: {entry["Name"]: re.compile(entry["Regex"]) for entry in metric_definitions()}
    )

    def row(self, line: str) -> list[str] | None:
        """The lines to print for a line of the log, None where it tells no epoch."""
        epoch = re.search(r"(?:^|: )epoch=(\d+) (?!step=)", line)
        found = {name: pattern.search(line) for name, pattern in self.patterns.items()}
        if not epoch or not any(found.values()):
            return None
        headers = [metric.name if len(metric.name) <= WIDTH else metric.column for metric in METRIC_LINE]
        headers = [f"{text:>{WIDTH}}" for text in headers]
        cells = [f"{match[1] if match else '':>{len(text)}}" for match, text in zip(found.values(), headers)]
        told = ["epoch  " + "  ".join(headers)] if self.rows % LAST_LINES == 0 else []
        self.rows += 1
        return [*told, f"{epoch[1]:>5}  " + "  ".join(cells)]
