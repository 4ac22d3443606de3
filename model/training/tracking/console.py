"""A run's story on the terminal: a bar, and a row an epoch; where nobody watches, a line of metrics an epoch."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from model.runtime import distributed
from model.runtime.terminal import ProgressBar
from model.training.progress import Progress
from model.training.tracking.base import EpochResult, Tracker

log = logging.getLogger("rarebird")

COLUMNS = {  # of an epoch's entry: header and form
    "train_loss": ("train loss", ".4f"),
    "val_loss": ("val loss", ".4f"),
    "val_f1": ("macro F1", ".4f"),
    "val_acc": ("accuracy", ".4f"),
    "val_gmean": ("gmean F1", ".4f"),
    "lr": ("lr", ".3g"),
    "pictures_per_second": ("pictures/s", ",.1f"),
}
WIDTH = 10


def progress_bar(description: str, pictures: int, done: int) -> ProgressBar:
    """The bar of an epoch, on the terminal of rank 0 alone."""
    return ProgressBar(description, pictures, done=done, shown=distributed.rank() == 0)


def metric_line(entry: Mapping[str, Any]) -> str:
    """`epoch=3 val_f1=0.8123; val_acc=0.9000; ...`: one line an epoch, which SageMaker's regular expressions read."""
    order = ["val_f1", "val_acc", "val_gmean", "val_loss", "train_loss"]
    numbers = [f"{name}={entry[name]:.4f};" for name in order if name in entry]
    numbers += [f"lr={entry['lr']:.3g};", f"pictures_per_second={entry['pictures_per_second']:.1f};"]
    return f"epoch={entry['epoch']} {' '.join(numbers)}"


class MetricLines(Tracker):
    """The log of a job: a line an epoch, and inside one every log_interval steps."""

    name = "the log"

    def step(self, progress: Progress, loss: float) -> None:
        step = progress.batches
        log.info("epoch=%d step=%d train_loss=%.4f; lr=%.3g;", progress.epoch + 1, step, loss, progress.lr)

    def epoch(self, result: EpochResult) -> None:
        log.info("%s", metric_line(result.entry))


class EpochTable(Tracker):
    """What a person at a terminal reads: a header once, then a row an epoch; the best so far is marked."""

    name = "the table of epochs"

    def __init__(self, epochs: int):
        self.epochs, self._headed = epochs, False

    def epoch(self, result: EpochResult) -> None:
        columns = {name: form for name, form in COLUMNS.items() if name in result.entry}
        if not self._headed:
            log.info("%9s  %s", "epoch", "  ".join(f"{header:>{WIDTH}}" for header, _ in columns.values()))
            self._headed = True
        cells = [f"{result.entry[name]:>{WIDTH}{form}}" for name, (_, form) in columns.items()]
        epoch = f"{result.entry['epoch']}/{self.epochs}"
        log.info("%9s  %s%s", epoch, "  ".join(cells), "  best so far" if result.better else "")


def console(epochs: int) -> Tracker:
    """The table where the log goes to a terminal, else the lines."""
    return EpochTable(epochs) if sys.stdout.isatty() else MetricLines()
