"""What follows a run while it goes: TensorBoard's event files, Weights & Biases."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model.training.progress import Progress
from model.training.tracking.figures import Picture, confusion_picture, mistakes_picture
from model.training.validation import Validation

log = logging.getLogger("rarebird")

SCALARS = {  # of an epoch's entry: the name of its curve
    "epoch": "epoch",
    "lr": "lr",
    "pictures_per_second": "pictures_per_second",
    "train_loss": "loss/train",
    "val_loss": "loss/validation",
    "val_f1": "score/macro_f1",
    "val_acc": "score/accuracy",
    "val_gmean": "score/gmean_f1",
}


@dataclass(frozen=True)
class EpochResult:
    """What there is to tell of an epoch. updates: optimiser steps so far; entry: as the history holds it; validation:
    None without one; better: whether these are the best weights so far."""

    updates: int
    entry: Mapping[str, Any]
    validation: Validation | None
    better: bool

    @cached_property
    def scalars(self) -> dict[str, float]:
        """By the name of the curve; the F1 of each class with validation pictures among them."""
        found = {curve: float(self.entry[name]) for name, curve in SCALARS.items() if name in self.entry}
        if self.validation:
            by_class = self.validation.metrics["per_class"]
            for name, f1, support in zip(self.validation.table.scheme.class_names, by_class["f1"], by_class["support"]):
                if support:
                    found[f"f1/{name}"] = f1
        return found

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """By name. Mistakes are those of the weights that may be saved: pictures are read for them."""
        if not self.validation:
            return {}
        found = {"confusion": confusion_picture(self.validation.confusion, self.validation.table.scheme.class_names)}
        mistakes = mistakes_picture(self.validation) if self.better else None
        return found | ({"mistakes": mistakes} if mistakes else {})


class Tracker:
    """Something that follows a run. This one does nothing; others do what they want to."""

    name = "nothing"

    def begin(self, first: int) -> None:
        """The run begins, or goes on. first: the optimiser step from which on there is something to tell; whatever an
        interrupted start told from it on is void."""

    def step(self, progress: Progress, loss: float) -> None:
        """Every log_interval optimiser steps inside an epoch. loss: the mean of the epoch so far."""

    def epoch(self, result: EpochResult) -> None:
        """At each epoch's end, before its checkpoint."""

    def close(self, failed: bool) -> None:
        """The run ends, or is stopped."""


def _kind(error: Exception) -> str:
    return type(error).__name__
