"""How far a run is and what it has reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from model.training.checkpoints import State


@dataclass
class Best:
    """The weights that the validation scored best so far, and all that it said of them."""

    epoch: int
    score: float
    metrics: dict[str, Any]
    weights: dict[str, torch.Tensor]


@dataclass
class Progress:
    """Where a run is. epoch: whole epochs done; batches: of the one at hand; updates: optimiser steps; loss_sum: of
    the batches at hand; lr: of the last step; stale: epochs since the best; seconds: of training, over all starts;
    history: an entry an epoch."""

    epoch: int = 0
    batches: int = 0
    updates: int = 0
    loss_sum: float = 0.0
    lr: float = 0.0
    stale: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Best | None = None

    @classmethod
    def of(cls, state: State) -> Progress:
        """The progress that a checkpoint holds."""
        values = {name: state[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "best": Best(**values["best"]) if values["best"] else None})

    def to_state(self) -> State:
        """The inverse of `of`."""
        return {**vars(self), "best": vars(self.best) if self.best else None}


@dataclass(frozen=True)
class Outcome:
    """weights: those to save; stopped_by: the signal that ended training early, None where it is finished."""

    weights: dict[str, torch.Tensor]
    progress: Progress
    stopped_by: int | None = None

    @classmethod
    def of(cls, state: State) -> Outcome:
        """What the checkpoint of a finished run holds."""
        return cls(state["weights"], Progress.of(state))

    def to_state(self) -> State:
        """The inverse of `of`."""
        best = {**vars(self.progress.best), "weights": {}} if self.progress.best else None
        return {**self.progress.to_state(), "best": best, "weights": self.weights}
