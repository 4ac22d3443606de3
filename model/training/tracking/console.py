"""A run on the terminal: a progress bar and a table with a row an epoch; in a log file a line of metrics an epoch."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Never

from model.metrics.epoch_metrics import metrics_of_line, metrics_of_table
from model.runtime import distributed, terminal
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger("rarebird")

WIDTH = 10  # of a column in characters, at least


def progress_bar(description: str, pictures: int, done: int) -> tqdm[Never]:
    """The bar of an epoch, on the terminal of rank 0 alone."""
    return terminal.progress_bar(description, pictures, done=done, shown=distributed.rank() == 0)


def metric_line(entry: Mapping[str, Any]) -> str:
    """`epoch=3 val_f1=0.8123; val_acc=0.9000; ...`, which SageMaker's metric definitions read.

    Args:
        entry: The epoch's record. Metrics that are not in it are left out.
    """
    values = [metric.assignment(entry[metric.name]) for metric in metrics_of_line() if metric.name in entry]
    return f"epoch={entry['epoch']} {' '.join(values)}"


class MetricLines(Tracker):
    """Logs one line an epoch, and one every log_interval steps within it."""

    name = "the log"

    def step(self, progress: Progress, loss: float) -> None:
        step = progress.batches
        log.info("epoch=%d step=%d train_loss=%.4f; lr=%.3g;", progress.epoch + 1, step, loss, progress.lr)

    def epoch(self, result: EpochResult) -> None:
        log.info("%s", metric_line(result.entry))


class EpochTable(Tracker):
    """Logs a table for people: a header once, then a row an epoch; the best so far is marked."""

    name = "the table of epochs"

    def __init__(self, epochs: int):
        self.epochs, self._has_header = epochs, False

    def epoch(self, result: EpochResult) -> None:
        columns = [metric for metric in metrics_of_table() if metric.name in result.entry]
        headers = [f"{metric.column:>{WIDTH}}" for metric in columns]
        if not self._has_header:
            log.info("%9s  %s", "epoch", "  ".join(headers))
            self._has_header = True
        values = [
            f"{metric.text(result.entry[metric.name]):>{len(header)}}" for metric, header in zip(columns, headers)
        ]
        epoch = f"{result.entry['epoch']}/{self.epochs}"
        log.info("%9s  %s%s", epoch, "  ".join(values), "  best so far" if result.better else "")


def make_console(epochs: int) -> Tracker:
    """The table if the log goes to a terminal, otherwise the lines."""
    return EpochTable(epochs) if sys.stdout.isatty() else MetricLines()
