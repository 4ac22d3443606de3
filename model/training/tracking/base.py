"""The interface of a tracker, which reports the progress of a run, and the results of an epoch that it receives."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from model.metrics.epoch_metrics import ATTRIBUTE_SCORES, EPOCH_METRICS, NUMBER_ERRORS, reported
from model.training.progress import Progress
from model.training.tracking.figures import Figure, confusion_figure, mistakes_figure
from model.training.validation import Validation

log = logging.getLogger("rarebird")


def curves(best_criterion: str | None = None) -> dict[str, str]:
    """Names of curves by key of an epoch's record; with best_criterion, only those that such a training reports."""
    metrics = [
        metric for name, metric in EPOCH_METRICS.items() if best_criterion is None or reported(name, best_criterion)
    ]
    return {"epoch": "epoch"} | {metric.name: metric.curve for metric in metrics}


@dataclass(frozen=True)
class EpochResult:
    """The results of an epoch.

    Attributes:
        updates: Optimiser steps since the run began.
        entry: The epoch's record in the history of metrics.json, without metrics that are on_request.
        validation: None if there are no validation images.
        better: Whether these are the best weights so far.
    """

    updates: int
    entry: Mapping[str, Any]
    validation: Validation | None
    better: bool
    _figures: dict[str, dict[str, Figure]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def by_attribute(self) -> Mapping[str, Mapping[str, float]]:
        """ATTRIBUTE_SCORES of each attribute by its name, if there are several and validation images."""
        return self.validation.by_attribute if self.validation else {}

    @property
    def number_errors(self) -> Mapping[str, float]:
        """Mean absolute error of each learned number by attribute, over the validation images."""
        return self.validation.number_errors if self.validation else {}

    @cached_property
    def scalars(self) -> dict[str, float]:
        """Values by the name of their curve: the epoch's metrics, the scores of each attribute if there are several,
        the errors of learned numbers, and the F1 of each class with validation images, unless the scheme is_large."""
        scalars = {curve: float(self.entry[name]) for name, curve in curves().items() if name in self.entry}
        if not self.validation:
            return scalars
        for name, scores in self.by_attribute.items():
            scalars |= {f"{score}/{name}": scores[key] for key, score in ATTRIBUTE_SCORES.items()}
        scalars |= {f"{NUMBER_ERRORS}/{name}": error for name, error in self.number_errors.items()}
        if not self.validation.table.scheme.is_large:
            per_class = self.validation.metrics["per_class"]
            names = self.validation.table.scheme.class_names
            for name, f1, support in zip(names, per_class["f1"], per_class["support"]):
                if support:
                    scalars[f"f1/{name}"] = f1
        return scalars

    def figures(self, thumbnails: str) -> dict[str, Figure]:
        """Figures by name, drawn once: the confusion matrix unless the scheme is_large, and the worst mistakes if these
        are the best weights so far.

        Args:
            thumbnails: Which thumbnails of the mistakes are shown, an entry of THUMBNAILS.
        """
        if not self.validation:
            return {}
        if thumbnails not in self._figures:
            figures, scheme = {}, self.validation.table.scheme
            if not scheme.is_large:
                figures["confusion"] = confusion_figure(self.validation.confusion, scheme.class_names)
            mistakes = mistakes_figure(self.validation, thumbnails) if self.better else None
            self._figures[thumbnails] = figures | ({"mistakes": mistakes} if mistakes else {})
        return self._figures[thumbnails]


class Tracker:
    """Reports the progress of a run. The methods do nothing; a tracker overrides those it needs."""

    name = "nothing"

    def begin(self, first: int) -> None:
        """The run starts or resumes.

        Args:
            first: First optimiser step that will be logged. Events of an interrupted run at or after this step are to
                be discarded.
        """

    def step(self, progress: Progress, loss: float) -> None:
        """Called every `log_interval` optimiser steps within an epoch. loss: mean over the epoch so far."""

    def epoch(self, result: EpochResult) -> None:
        """Called at the end of each epoch, before its checkpoint is written."""

    def close(self, failed: bool) -> None:
        """The run has ended or was stopped."""
