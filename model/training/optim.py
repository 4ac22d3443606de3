"""Optimisers (timm's), learning rate schedules (timm's and torch's) and gradient accumulation."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import Any

import torch
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from torch import nn
from torch.optim import lr_scheduler

from model.errors import InputError, did_you_mean
from model.metrics.epoch_metrics import CRITERIA
from model.settings.train import TrainSettings

TIMM_SCHEDULES = ("cosine", "tanh", "step", "multistep", "poly")  # not plateau, whose state_dict lacks its state
STEP_SCHEDULES = ("CyclicLR", "OneCycleLR")  # torch's schedules that count optimiser steps; the others count epochs
GROUP_RATES = ("max_lr", "base_lr")  # their arguments that may be a number for each group of parameters
NO_SCHEDULE = "none"


def make_optimiser(settings: TrainSettings, network: nn.Module) -> torch.optim.Optimizer:
    """Makes timm's optimiser for the trainable parameters. Biases and norm layers have no weight decay.

    With layer_decay d, the learning rate of a layer is lr * d^n, where n is the number of layers behind it; classifiers
    have n = 0 (Clark et al., ELECTRA, ICLR 2020). Each group of parameters has this factor as `lr_scale`.

    Raises:
        InputError: If timm has no optimiser of this name, or if an argument is invalid.
    """
    name = settings.optimizer.lower()
    known = [str(name) for name in list_optimizers()]
    if name == "adahessian":
        raise InputError("optimizer 'adahessian' needs second derivatives, which the training loop does not compute")
    if name not in known:
        raise InputError(f"optimizer {settings.optimizer!r}: timm has no such optimiser{did_you_mean(name, known)}")
    try:
        optimiser = create_optimizer_v2(
            network,
            opt=name,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            layer_decay=None if settings.layer_decay == 1 else settings.layer_decay,
            **settings.optimizer_args,
        )
    except (TypeError, ValueError, AssertionError, ImportError, RuntimeError) as error:
        raise InputError(f"optimizer {settings.optimizer!r} with {settings.optimizer_args}: {error}") from None
    if settings.scheduler.lower() not in TIMM_SCHEDULES:  # timm's apply the factors at each step
        for group in optimiser.param_groups:
            group["lr"] *= group.get("lr_scale", 1.0)
    return optimiser


@dataclass(frozen=True)
class Accumulation:
    """Gradient accumulation: the batches of an epoch are divided into groups, with an optimiser step after each group.

    Attributes:
        batches: Batches per epoch.
        per_step: Batches per group; the last group of an epoch may have fewer.
    """

    batches: int
    per_step: int

    @property
    def optimiser_steps(self) -> int:
        """Optimiser steps per epoch."""
        return math.ceil(self.batches / self.per_step)

    def group_size(self, batch: int) -> int:
        """Number of batches in the group that a batch is in. batch: its position in the epoch, from 0."""
        first = batch - batch % self.per_step
        return min(self.per_step, self.batches - first)

    def ends_group(self, batch: int) -> bool:
        """Whether an optimiser step follows a batch."""
        return (batch + 1) % self.per_step == 0 or batch + 1 == self.batches


class Schedule:
    """The learning rate schedule: one interface for timm's schedules, which compute the rate from the number of steps,
    and torch's, which have a state.

    Args:
        settings: Name and arguments of the schedule.
        optimiser: The optimiser whose learning rate is set.
        steps: Optimiser steps per epoch.

    Raises:
        InputError: If there is no schedule of this name, or if an argument is invalid.
    """

    def __init__(self, settings: TrainSettings, optimiser: torch.optim.Optimizer, steps: int):
        self.steps = steps
        self.timm: Any = None
        self.torch: Any = None
        arguments = settings.scheduler_args
        torch_names = [
            key
            for key, kind in vars(lr_scheduler).items()
            if inspect.isclass(kind) and issubclass(kind, lr_scheduler.LRScheduler) and not key.endswith("LRScheduler")
        ]
        known = [*TIMM_SCHEDULES, *torch_names, NO_SCHEDULE]
        name = next((name for name in known if name.lower() == settings.scheduler.lower()), settings.scheduler)
        self.each_step = name in STEP_SCHEDULES
        try:
            if name in TIMM_SCHEDULES:
                self.timm = self._timm(name, arguments, settings, optimiser)
            elif name in torch_names:
                if name == "OneCycleLR":
                    arguments = {"max_lr": settings.lr, "total_steps": max(1, settings.epochs * steps), **arguments}
                if name == "ReduceLROnPlateau":
                    higher_is_better = CRITERIA[settings.best_criterion].higher_is_better
                    arguments = {"mode": "max" if higher_is_better else "min", **arguments}
                self.torch = getattr(lr_scheduler, name)(optimiser, **_by_layer(arguments, optimiser))
            elif name != NO_SCHEDULE:
                raise InputError(f"scheduler {name!r}: there is no such schedule{did_you_mean(name, known)}")
        except (TypeError, ValueError, AssertionError) as error:
            raise InputError(f"scheduler {name!r} with {arguments}: {error}") from None

    def _timm(
        self, name: str, arguments: dict[str, Any], settings: TrainSettings, optimiser: torch.optim.Optimizer
    ) -> Any:
        warmup = min(settings.warmup_epochs, max(settings.epochs - 1, 0))
        schedule, _ = create_scheduler_v2(
            optimiser,
            sched=name,
            num_epochs=max(settings.epochs, 1),
            warmup_epochs=warmup,  # type: ignore[arg-type]
            warmup_lr=settings.lr * 1e-2,
            step_on_epochs=False,
            updates_per_epoch=self.steps,
            **arguments,
        )
        return schedule

    def after_step(self, step: int) -> None:
        """Called after each optimiser step. step: optimiser steps since the start of the run."""
        if self.timm is not None:
            self.timm.step_update(step)
        elif self.torch is not None and self.each_step and step <= getattr(self.torch, "total_steps", step + 1):
            self.torch.step()

    def after_epoch(self, score: float | None) -> None:
        """Called after each epoch. score: validation score by best_criterion; None without validation."""
        if self.torch is not None and not self.each_step:
            if isinstance(self.torch, lr_scheduler.ReduceLROnPlateau):
                if score is not None:
                    self.torch.step(score)
            else:
                self.torch.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of the schedule: only numbers, text, lists and mappings, which `weights_only` can load."""
        schedule = self.torch if self.torch is not None else self.timm
        state = schedule.state_dict() if schedule is not None else {}
        return {key: value for key, value in state.items() if _is_plain(value)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        schedule = self.torch if self.torch is not None else self.timm
        if schedule is not None:
            schedule.load_state_dict(state)


def _by_layer(arguments: dict[str, Any], optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The arguments of a schedule of torch, with learning rates for each group of parameters if layer_decay is set."""
    scales = [group["lr_scale"] for group in optimiser.param_groups if "lr_scale" in group]
    return {
        name: [value * scale for scale in scales] if scales and name in GROUP_RATES and _is_number(value) else value
        for name, value in arguments.items()
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
