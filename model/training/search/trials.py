"""Trials of a search: short trainings that are scored on a fold of the training images, and the comparison of two
augmentations on other folds."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.data.datasets import Datasets, hold_out, labelled_for
from model.data.splits import assign
from model.data.table import Table
from model.labels import Scheme
from model.metrics.bootstrap import Interval, interval
from model.metrics.epoch_metrics import CRITERIA
from model.metrics.proportions import number_of_units
from model.runtime.hardware import Hardware
from model.runtime.signals import StopSignal
from model.settings.train import TrainSettings
from model.training.decision import trained_decision
from model.training.fit import fit
from model.training.validation import CONFIDENCE, Validation

FOLDS = 3  # of the training images; the first is held out by the search, the others by the comparison

Policy = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Trial:
    """A short training.

    Attributes:
        candidate: Name of its augmentation.
        fold: Fold that was held out, from 0.
        epochs: Epochs of the training.
        score: Score of the best epoch on the held-out fold, by best_criterion.
        seconds: Duration.
    """

    candidate: str
    fold: int
    epochs: int
    score: float
    seconds: float


@dataclass
class CandidateTrainer:
    """Trains candidates.

    Attributes:
        settings: Settings of the training; its augmentation and epochs are replaced.
        table: Training images, with the labels of the target.
        channel: Label scheme of the channel.
        hardware: Where to train.
        stop: Ends a training early.
        folds: Fold of each image, int64 (n,).
    """

    settings: TrainSettings
    table: Table
    channel: Scheme
    hardware: Hardware
    stop: StopSignal
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, settings: TrainSettings, train: Table, hardware: Hardware, stop: StopSignal) -> CandidateTrainer:
        """A trainer on folds that do not split groups. InputError if there are fewer groups than folds."""
        table = labelled_for(train, settings.target)
        folds = assign(table.groups, table.strata().rows, [1.0] * FOLDS, settings.seed)
        return cls(replace(settings, folds=0), table, train.scheme, hardware, stop, folds)

    def train(self, candidate: str, policy: Policy, fold: int, epochs: int) -> tuple[Trial, NDArray[np.float32]] | None:
        """Trains a candidate without the images of a fold.

        Returns:
            The trial, and the probabilities of the fold's images, float32 (images, C); None if it was stopped.
        """
        started = time.monotonic()
        own = {name: dict(arguments) for name, arguments in policy.items()}
        settings = replace(self.settings, augmentation=own, epochs=epochs)
        outcome = fit(settings, self.datasets(fold), channel=self.channel, hardware=self.hardware, stop=self.stop)
        best = outcome.progress.best
        if outcome.stopped_by is not None or best is None or outcome.probabilities is None:
            return None
        score = float(best.metrics[settings.best_criterion])
        return Trial(candidate, fold, epochs, score, time.monotonic() - started), outcome.probabilities

    def datasets(self, fold: int) -> Datasets:
        """The images of a fold to validate on, the others to train on."""
        return hold_out(self.table, np.flatnonzero(self.folds == fold), 1 / FOLDS)

    def rank(self, score: float) -> float:
        """A score by best_criterion as a number that is higher for better candidates."""
        return score if CRITERIA[self.settings.best_criterion].higher_is_better else -score

    def gain(self, probabilities: Sequence[Mapping[int, NDArray[np.float32]]]) -> Interval:
        """Macro F1 (if best_criterion is another score, that score) of one candidate minus that of another, with its
        interval over groups.

        Args:
            probabilities: By fold, of the first and of the second candidate, for the same folds. Images of all folds
                are scored together.
        """
        folds = sorted(probabilities[0])
        rows = np.concatenate([np.flatnonzero(self.folds == fold) for fold in folds])
        table = self.table.take(rows)
        values = [self._resampled(table, np.concatenate([own[fold] for fold in folds])) for own in probabilities]
        groups = pd.factorize(table.groups)[0]
        return interval(values[0] - values[1], CONFIDENCE, number_of_units(groups, len(groups)), is_difference=True)

    def _resampled(self, table: Table, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """The score of the images and of bootstrap resamples of groups, (1 + resamples,)."""
        answers = self.decide(probabilities)
        scores = Validation(table, probabilities, answers, loss=0.0).resampled()
        name = self.settings.best_criterion
        return scores[name if name in scores else "f1"]

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        """The classes that the decision in the settings selects, int64 (n,)."""
        return trained_decision(self.settings, self.table).classes(probabilities)


@contextmanager
def stop_after(stop: StopSignal, seconds: float) -> Iterator[None]:
    """Context manager: sends `stop` a SIGTERM of its own after some seconds, unless a signal came before."""

    def expire() -> None:
        stop.received = stop.received or signal.SIGTERM

    timer = threading.Timer(max(seconds, 0.0), expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
