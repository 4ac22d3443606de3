"""Position and results of a training run: what its checkpoints contain in addition to network and optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from model.decisions import Decision
from model.errors import Failure
from model.images.pipeline import InputPipeline
from model.metrics.epoch_metrics import CRITERIA
from model.network.heads import Heads
from model.settings.train import TrainSettings
from model.training.checkpoints import State
from model.training.validation import Validation


def on_cpu(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy of a network's state on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


@dataclass
class Best:
    """The weights with the best validation score so far.

    Attributes:
        epoch: Epoch of the weights, from 1.
        score: Validation score by best_criterion; higher is better.
        metrics: `Validation.metrics`, with intervals.
        weights: State of the network, on the CPU.
    """

    epoch: int
    score: float
    metrics: dict[str, Any]
    weights: dict[str, torch.Tensor]


@dataclass
class Progress:
    """The position of a run.

    Attributes:
        epoch: Epochs finished.
        batches: Batches finished in the current epoch.
        updates: Optimiser steps finished.
        loss_sum: Sum of the losses of the current epoch's batches.
        lr: Learning rate of the last optimiser step.
        stale: Epochs since the best one.
        seconds: Training time, including that before a run was resumed.
        history: A record of each epoch.
        best: The best weights so far; None before the first validation.
    """

    epoch: int = 0
    batches: int = 0
    updates: int = 0
    loss_sum: float = 0.0
    lr: float = 0.0
    stale: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Best | None = None

    def first_logged_step(self, steps: int) -> int:
        """First optimiser step to log after resuming: usually the next one. It is the last one again if its epoch has
        not been validated yet, since at the last step of an epoch the epoch is logged instead. steps: batches per
        epoch."""
        return self.updates + (self.updates > 0 and self.batches != steps)

    @classmethod
    def from_state(cls, state: State) -> Progress:
        """The progress in a checkpoint."""
        values = {name: state[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "best": Best(**values["best"]) if values["best"] else None})

    def to_state(self) -> State:
        """The inverse of from_state."""
        return {**vars(self), "best": vars(self.best) if self.best else None}

    def keep_best(self, validation: Validation, best_criterion: str, network: nn.Module) -> bool:
        """Keeps the validated weights if they are the best so far. Returns whether they are.

        Args:
            validation: The validation of the current epoch.
            best_criterion: The setting, a key of CRITERIA.
            network: The network that was validated.

        Raises:
            Failure: If the validation loss is not finite.
        """
        if not math.isfinite(validation.loss):
            position = f"epoch {self.epoch + 1}, step {self.batches}, learning rate {self.lr:.3g}"
            raise Failure(
                f"the validation loss is not finite after {position}: try a lower --lr, a longer --warmup_epochs or "
                "--clip_grad 1"
            )
        value = validation.metrics[best_criterion]
        score = value if CRITERIA[best_criterion].higher_is_better else -value
        better = self.best is None or score > self.best.score
        self.stale = 0 if better else self.stale + 1
        if better:
            kept = {**validation.metrics, "intervals": validation.intervals()}
            self.best = Best(self.epoch + 1, score, kept, on_cpu(network.state_dict()))
        return better


@dataclass(frozen=True)
class Outcome:
    """What training returns: everything that a saved model needs, and the progress of the run.

    Attributes:
        settings: Settings of the training.
        heads: The heads of the network.
        pipeline: Makes the inputs of the network.
        decision: Rule that selects the class from its probabilities.
        weights: State of the network to save, on the CPU.
        progress: Position and results of the run.
        stopped_by: The signal that ended training early; None if it is finished.
        probabilities: Probabilities of the validation images from `weights`, float32 (n, C); None if they are unknown,
            for example because the best epoch was before the checkpoint that training resumed from.
        dynamics: The content of training_dynamics.csv; None without the setting, and for a run finished before.
    """

    settings: TrainSettings
    heads: Heads
    pipeline: InputPipeline
    decision: Decision
    weights: dict[str, torch.Tensor]
    progress: Progress
    stopped_by: int | None = None
    probabilities: np.ndarray | None = None
    dynamics: pd.DataFrame | None = None

    @classmethod
    def from_state(
        cls, state: State, settings: TrainSettings, heads: Heads, pipeline: InputPipeline, decision: Decision
    ) -> Outcome:
        """The outcome of a finished run. state: its checkpoint; the others are made from its settings and data."""
        return cls(settings, heads, pipeline, decision, state["weights"], Progress.from_state(state))

    def to_state(self) -> State:
        """The content of a finished run's checkpoint: weights and progress."""
        best = {**vars(self.progress.best), "weights": {}} if self.progress.best else None
        return {**self.progress.to_state(), "best": best, "weights": self.weights}
