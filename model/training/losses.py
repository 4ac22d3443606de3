"""Training losses, by the values of the setting `loss`.

A loss takes logits (N, C) and targets: classes, int64 (N,), or with mixup and cutmix probabilities, float (N, C). It
computes and returns a scalar in float32, also for logits in bf16 or fp16. A subclass of Loss also takes weights of
images (model.training.cross_entropy).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode
from model.settings.fields import decode_value
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings
from model.training.class_weights import class_weights
from model.training.cross_entropy import CrossEntropy, Loss, at_least_float32, at_targets
from model.training.early_learning import EarlyLearningLoss


@dataclass(frozen=True)
class LossContext:
    """Everything that a head's loss can depend on.

    Attributes:
        settings: Settings of the training.
        head: Settings of the head.
        counts: Training images of each class of the head, (C,).
        drawn_shares: Share of each class among the images that the sampler draws, float64 (C,).
        sampler_corrects: Share of the class prior that the sampler corrects.
        images: Number of training images, with and without a label of the head.
    """

    settings: TrainSettings
    head: HeadSettings
    counts: NDArray[np.int64]
    drawn_shares: NDArray[np.float64]
    sampler_corrects: float = 0.0
    images: int = 0

    @cached_property
    def class_weights(self) -> Tensor | None:
        """Weights of the classes, float32 (C,), by the head's setting `class_weights`; None for no weights."""
        return class_weights(
            self.head.class_weights,
            self.counts,
            self.drawn_shares,
            self.settings.class_weights_strength,
            self.head.class_weight_values,
            self.settings.effective_beta,
        )


@dataclass(frozen=True)
class LossType:
    """A value of the setting `loss`.

    Attributes:
        make: Makes the loss of a head from its LossContext and, as keywords, loss_args. Raises ValueError or TypeError
            if an argument is invalid.
        outputs: Number of logits that a head needs, from its number of classes. Raises ValueError if the loss does not
            support this number of classes.
        corrects: Share of the class prior that the loss corrects by itself; 0.0 if it takes no class weights either.
            None: the share that its class weights correct.
        remedy: What a warning advises if sampler and loss correct the class prior more than once.
    """

    make: Callable[..., nn.Module]
    outputs: Callable[[int], int] = lambda classes: classes
    corrects: Callable[[LossContext], float] | None = None
    remedy: str = "lower sampler_strength, set sampler to none or choose another loss"


class LogitAdjustedCrossEntropy(CrossEntropy):
    """Cross entropy of logits + tau log s, where s are the class shares among the drawn images.

    Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 10. With tau 1 it is balanced softmax
    (Ren et al., NeurIPS 2020). The network's own logits then suit a test set in which classes are equally frequent.
    A class that is not drawn gets the adjustment of the most frequent class, so that its logit is lowered as by cross
    entropy. All of the prior that is left by the sampler is corrected by tau, so it takes no class weights.

    Args:
        drawn_shares: Share of each class among the images that the sampler draws, (C,).
        tau: Strength; 0 gives cross entropy.
    """

    adjustment: Tensor

    def __init__(self, drawn_shares: NDArray[np.float64], tau: float = 1.0) -> None:
        super().__init__()
        shares = np.where(drawn_shares > 0, drawn_shares, drawn_shares.max())
        self.register_buffer("adjustment", torch.tensor(tau * np.log(shares), dtype=torch.float32), persistent=False)

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        return super().by_image(logits + self.adjustment.to(logits.dtype), targets)


class FocalLoss(Loss):
    """Mean over images of -sum_c w_c y_c (1 - p_c)^gamma log p_c, where p is softmax(logits) and y the target.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, where p is a sigmoid.

    Args:
        gamma: Focusing parameter; 0 gives cross entropy.
        weight: Weights of the classes.
    """

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None) -> None:
        super().__init__(weight)
        self.gamma = gamma

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_p = F.log_softmax(at_least_float32(logits), dim=1)
        # 1 - p, kept above 0: at 0 the derivative of (1 - p)^gamma is infinite for gamma below 1
        not_p = (1 - log_p.exp()).clamp_min(torch.finfo(log_p.dtype).tiny)
        by_class = -(not_p**self.gamma) * log_p
        weight = self.weight_as(log_p)
        return at_targets(by_class if weight is None else by_class * weight, targets)


class BinaryCrossEntropy(Loss):
    """Cross entropy of two classes from one logit (N, 1), that of class 1: mean over images of
    -w_1 y_1 log sigmoid(logit) - w_0 y_0 log sigmoid(-logit)."""

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        by_class = -F.logsigmoid(torch.cat([-logits, logits], dim=1))
        weight = self.weight_as(logits)
        return at_targets(by_class if weight is None else by_class * weight, targets)


class F1Loss(Loss):
    """1 - macro soft F1 of the batch: 1 - mean over c of 2 sum_n p_nc y_nc / (sum_n p_nc + sum_n y_nc), where p is
    softmax(logits) and y the target. The mean is over the classes that occur in the targets or among the most probable.

    With one-hot p this is scikit-learn's macro F1. All classes have equal weight, so it takes no class weights. It is
    not a mean over images: with accumulation or several processes it is the mean of the losses of the smaller batches.
    With weights of images, the sums over n are weighted.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, logits: Tensor, targets: Tensor, image_weights: Tensor | None = None, penalty: Tensor | None = None
    ) -> Tensor:
        assert penalty is None, "its images have no penalties"
        p = F.softmax(at_least_float32(logits), dim=1)
        y = targets.to(p.dtype) if targets.is_floating_point() else F.one_hot(targets, p.shape[1]).to(p.dtype)
        w = torch.ones_like(p[:, :1]) if image_weights is None else image_weights[:, None]
        predicted = (F.one_hot(p.argmax(1), p.shape[1]) * w).sum(0)
        p_sum, y_sum = (w * p).sum(0), (w * y).sum(0)
        occurs = (y_sum > 0) | (predicted > 0)
        f1 = 2 * (w * p * y).sum(0) / (p_sum + y_sum).clamp_min(torch.finfo(p.dtype).tiny)
        return 1 - (f1 * occurs).sum() / occurs.sum().clamp_min(1)


def _focal(context: LossContext, gamma: float | None = None) -> FocalLoss:
    return FocalLoss(_or_setting(context, "focal_gamma", gamma), context.class_weights)


def _label_smoothing(context: LossContext, smoothing: float | None = None) -> CrossEntropy:
    return CrossEntropy(context.class_weights, _or_setting(context, "label_smoothing", smoothing))


def _at_least_0(name: str, argument: object, below: float = math.inf) -> float:
    """The value of an argument in loss_args. Raises ValueError unless it is at least 0 and below a bound."""
    value = decode(float, argument)
    if not 0 <= value < below:
        raise ValueError(
            f"{name} = {value:g}: expected at least 0{f' and below {below:g}' if below < math.inf else ''}"
        )
    return float(value)


def _logit_adjustment(context: LossContext, tau: float = 1.0) -> LogitAdjustedCrossEntropy:
    return LogitAdjustedCrossEntropy(context.drawn_shares, _at_least_0("tau", tau))


def _logit_adjustment_corrects(context: LossContext) -> float:
    """tau times the share that the sampler leaves: drawn shares are in proportion to share^(1 - sampler strength)."""
    return _at_least_0("tau", context.head.loss_args.get("tau", 1.0)) * (1 - context.sampler_corrects)


def _elr(context: LossContext, strength: float = 3.0, beta: float = 0.7) -> EarlyLearningLoss:
    strength, beta = _at_least_0("strength", strength), _at_least_0("beta", beta, below=1)
    return EarlyLearningLoss(context.images, len(context.counts), strength, beta, context.class_weights)


def _or_setting(context: LossContext, name: str, argument: object) -> Any:
    """The value of an argument in loss_args, checked like the setting of the same meaning; if None, that setting."""
    return getattr(context.settings, name) if argument is None else decode_value(TrainSettings, name, argument)


def _one_output(classes: int) -> int:
    if classes != 2:
        raise ValueError("loss bce needs two classes")
    return 1


# By the values of the setting `loss`, which are also listed in model.settings.choices.LOSSES
LOSSES: dict[str, LossType] = {
    "focal": LossType(_focal),
    "cross_entropy": LossType(lambda context: CrossEntropy(context.class_weights)),
    "label_smoothing": LossType(_label_smoothing),
    "elr": LossType(_elr),
    "f1": LossType(lambda context: F1Loss(), corrects=lambda context: 0.0),
    "logit_adjustment": LossType(_logit_adjustment, corrects=_logit_adjustment_corrects, remedy="set tau to at most 1"),
    "bce": LossType(lambda context: BinaryCrossEntropy(context.class_weights), _one_output),
}


def loss_type(name: str) -> LossType:
    """The LossType of a name. Raises InputError with the nearest name if there is none."""
    if name not in LOSSES:
        raise InputError(f"loss {name!r}: expected one of {listing(LOSSES)}{did_you_mean(name, LOSSES)}")
    return LOSSES[name]


def make_loss(context: LossContext) -> nn.Module:
    """Makes the loss of a head by its settings `loss` and `loss_args`.

    Raises:
        InputError: If the loss or an argument is unknown; the message has the nearest name.
    """
    name, arguments = context.head.loss, context.head.loss_args
    make = loss_type(name).make
    known = list(inspect.signature(make).parameters)[1:]
    unknown = [f"{key!r}{did_you_mean(key, known)}" for key in arguments if key not in known]
    if unknown:
        raise InputError(
            f"loss_args: loss {name} has no argument {listing(unknown)}; expected one of {listing(known)}"
            if known
            else f"loss_args: loss {name} takes no arguments, not {listing(unknown)}"
        )
    try:
        return make(context, **arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"loss {name!r} with {arguments}: {error}") from None
