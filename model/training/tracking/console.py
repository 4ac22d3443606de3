"""A run on the terminal: a progress bar, and a table with a row per epoch; in a log file, a line per epoch."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never

from model.metrics.epoch_metrics import (
    EPOCH_METRICS,
    attribute_assignments,
    metrics_of_line,
    metrics_of_table,
    number_assignments,
)
from model.runtime import distributed, terminal
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger("rarebird")

# Minimum widths of the columns in characters
WIDTH, EPOCH_WIDTH, TIME_WIDTH = 8, 7, 7
OMITTED_FIRST = ("lr", "pictures_per_second")  # metrics that a narrow terminal has no room for


def progress_bar(description: str, pictures: int, done: int) -> tqdm[Never]:
    """The bar of an epoch, on the terminal of rank 0 only."""
    return terminal.progress_bar(description, pictures, done=done, shown=distributed.rank() == 0)


def metric_line(
    entry: Mapping[str, Any],
    by_attribute: Mapping[str, Mapping[str, float]] | None = None,
    number_errors: Mapping[str, float] | None = None,
) -> str:
    """`epoch=3 val_f1=0.8123; val_acc=0.9000; ...`, which SageMaker's metric definitions read, followed by
    `val_f1_mask=0.9012; ...` if there are several attributes and `val_mae_age=4.213; ...` for learned numbers.

    Args:
        entry: The epoch's record; metrics that are not in it are skipped.
        by_attribute: EpochResult.by_attribute.
        number_errors: EpochResult.number_errors.
    """
    values = [metric.assignment(entry[metric.name]) for metric in metrics_of_line() if metric.name in entry]
    values += attribute_assignments(by_attribute or {}) + number_assignments(number_errors or {})
    return f"epoch={entry['epoch']} {' '.join(values)}"


class EpochTimes:
    """The time of each epoch, with validation, and the time left. Of an epoch that is resumed, only the time in this
    process counts."""

    def __init__(self, epochs: int):
        self.epochs = epochs
        self.began = self.epoch_began = time.monotonic()
        self.finished = 0

    def begin(self) -> None:
        """Training starts."""
        self.began = self.epoch_began = time.monotonic()

    def after_epoch(self, epoch: int) -> tuple[float, float]:
        """Seconds of the epoch that has just ended, counted from 1, and seconds left at the mean pace so far."""
        now = time.monotonic()
        seconds, self.epoch_began = now - self.epoch_began, now
        self.finished += 1
        return seconds, (now - self.began) / self.finished * (self.epochs - epoch)


class MetricLines(Tracker):
    """Logs one line per epoch, and one every log_interval steps."""

    name = "the log"

    def __init__(self, epochs: int):
        self.times = EpochTimes(epochs)

    def begin(self, first: int) -> None:
        self.times.begin()

    def step(self, progress: Progress, loss: float) -> None:
        step = progress.batches
        log.info("epoch=%d step=%d train_loss=%.4f; lr=%.3g;", progress.epoch + 1, step, loss, progress.lr)

    def epoch(self, result: EpochResult) -> None:
        seconds, left = self.times.after_epoch(result.entry["epoch"])
        line = metric_line(result.entry, result.by_attribute, result.number_errors)
        log.info("%s epoch_seconds=%.1f; seconds_left=%.0f;", line, seconds, left)


class EpochTable(Tracker):
    """Logs a table for people: a header once, then a row per epoch; the best epoch so far is marked.

    Columns that do not fit the width of the terminal are omitted, in the order of OMITTED_FIRST; then scores of
    attributes, from the last one on.
    """

    name = "the table of epochs"

    def __init__(self, epochs: int):
        self.epochs, self.times, self._headers = epochs, EpochTimes(epochs), list[str]()

    def begin(self, first: int) -> None:
        self.times.begin()

    def epoch(self, result: EpochResult) -> None:
        columns = [metric for metric in metrics_of_table() if metric.name in result.entry]
        texts = {metric.column: metric.text(result.entry[metric.name]) for metric in columns}
        texts |= {f"F1 {name}": f"{scores['f1']:.4f}" for name, scores in result.by_attribute.items()}
        texts |= {f"error {name}": f"{error:.4g}" for name, error in result.number_errors.items()}
        number, best = f"{result.entry['epoch']}/{self.epochs}", "  best so far" if result.better else ""
        if not self._headers:
            self._headers = self._fitting(list(texts))
            log.info(self._row("epoch", self._headers, ["time", "left"]))
        times = [duration(seconds) for seconds in self.times.after_epoch(result.entry["epoch"])]
        log.info("%s%s", self._row(number, [texts.get(name, "") for name in self._headers], times), best)

    def _row(self, epoch: str, texts: Sequence[str], times: Sequence[str]) -> str:
        """A row of the table, whose columns are as wide as those of the header."""
        widths = [max(len(name), WIDTH) for name in self._headers]
        values = [f"{text:>{width}}" for text, width in zip(texts, widths, strict=True)]
        return "  ".join([f"{epoch:>{EPOCH_WIDTH}}", *values, *(f"{text:>{TIME_WIDTH}}" for text in times)])

    def _fitting(self, names: list[str]) -> list[str]:
        """The columns of these names that fit the terminal."""
        scores = [name for name in names if name.startswith(("F1 ", "error "))]
        optional = [EPOCH_METRICS[name].column for name in OMITTED_FIRST] + scores[::-1]
        left = shutil.get_terminal_size().columns - EPOCH_WIDTH - 2 * (2 + TIME_WIDTH) - len("  best so far")
        for name in optional:
            if sum(2 + max(len(other), WIDTH) for other in names) > left and name in names:
                names.remove(name)
        return names


def duration(seconds: float) -> str:
    """`9.5 s`, `2:05` (minutes) or `3:02:05` (hours)."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def make_console(epochs: int) -> Tracker:
    """The table if the log goes to a terminal, otherwise the lines."""
    return EpochTable(epochs) if sys.stdout.isatty() else MetricLines(epochs)
