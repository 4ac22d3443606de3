"""Optimisers by timm's name, and the learning rate over a run by timm's or torch's."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from torch import nn
from torch.optim import lr_scheduler

from model.errors import InputError, did_you_mean
from model.settings.train import TrainSettings

TIMM_SCHEDULES = ("cosine", "tanh", "step", "multistep", "poly")  # its plateau keeps no state in a checkpoint
EACH_STEP = ("CyclicLR", "OneCycleLR")  # torch's that count optimiser steps; its others count epochs
NO_SCHEDULE = "none"


def make_optimiser(settings: TrainSettings, network: nn.Module) -> torch.optim.Optimizer:
    """timm's optimiser over the parameters that can learn; biases and norms are not decayed. InputError where there
    is none of the name or it does not take an argument."""
    name = settings.optimizer.lower()
    known = [str(name) for name in list_optimizers()]
    if name == "adahessian":
        raise InputError("optimizer 'adahessian' needs second derivatives, which the loop does not make")
    if name not in known:
        raise InputError(f"optimizer {settings.optimizer!r}: timm has none of that name{did_you_mean(name, known)}")
    try:
        return create_optimizer_v2(
            network, opt=name, lr=settings.lr, weight_decay=settings.weight_decay, **settings.optimizer_args
        )
    except (TypeError, ValueError, AssertionError, ImportError, RuntimeError) as error:
        raise InputError(f"optimizer {settings.optimizer!r} with {settings.optimizer_args}: {error}") from None


class Schedule:
    """The learning rate over a run, one interface for timm's schedules, which count from the run's beginning, and
    torch's, which hold a state."""

    def __init__(self, settings: TrainSettings, optimiser: torch.optim.Optimizer, steps: int):
        """steps: optimiser steps an epoch. InputError where there is no schedule of the name or it does not take an
        argument."""
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
        name = next((one for one in known if one.lower() == settings.scheduler.lower()), settings.scheduler)
        self.each_step = name in EACH_STEP
        try:
            if name in TIMM_SCHEDULES:
                self.timm = self._timm(name, arguments, settings, optimiser)
            elif name in torch_names:
                if name == "OneCycleLR":
                    arguments = {"max_lr": settings.lr, "total_steps": max(1, settings.epochs * steps), **arguments}
                if name == "ReduceLROnPlateau":
                    arguments = {"mode": "min" if settings.best_criterion == "loss" else "max", **arguments}
                self.torch = getattr(lr_scheduler, name)(optimiser, **arguments)
            elif name != NO_SCHEDULE:
                raise InputError(f"scheduler {name!r}: there is none of that name{did_you_mean(name, known)}")
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
        """step: optimiser steps done since the run began."""
        if self.timm is not None:
            self.timm.step_update(step)
        elif self.torch is not None and self.each_step and step <= getattr(self.torch, "total_steps", step + 1):
            self.torch.step()

    def after_epoch(self, score: float | None) -> None:
        """score: the validation's, by best_criterion; None where there is no validation."""
        if self.torch is not None and not self.each_step:
            if isinstance(self.torch, lr_scheduler.ReduceLROnPlateau):
                if score is not None:
                    self.torch.step(score)
            else:
                self.torch.step()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and mappings."""
        held = self.torch if self.torch is not None else self.timm
        state = held.state_dict() if held is not None else {}
        return {key: value for key, value in state.items() if _plain(value)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        held = self.torch if self.torch is not None else self.timm
        if held is not None:
            held.load_state_dict(state)


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_plain(key) and _plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))
