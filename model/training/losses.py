"""Training losses and class weights.

Every loss takes logits (N, C) and targets, int64 classes (N,) or float probabilities (N, C) from mixup and cutmix, and
returns a scalar in float32 whatever the type of the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from model.errors import InputError, did_you_mean, listing


def class_weights(
    kind: str,
    counts: NDArray[Any],
    drawn_shares: NDArray[Any],
    strength: float,
    values: Sequence[float] = (),
    beta: float = 0.999,
) -> Tensor | None:
    """Weights of the classes for the losses below, float32 (C,); None for kind "none".

    The weights are scaled so that their mean over `drawn_shares` is 1. The weighted loss therefore is a plain mean over
    pictures: batches, accumulated batches and processes of equal size average to exactly the loss of the whole. torch's
    `weight=` divides by the sum of weights of each batch, so its losses do not.

    Args:
        kind: "none", "inverse" (1 / count), "effective" (inverse of the effective number of samples,
            (1 - beta) / (1 - beta^count): Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR
            2019), or "given" (`values`).
        counts: (C,), training pictures of each class. A class without pictures has weight 0.
        drawn_shares: (C,), the distribution over classes that the sampler draws.
        strength: Power to which inverse and effective weights are raised.
        values: (C,), the weights for kind "given".
        beta: beta of the effective number.

    Raises:
        InputError: If `values` are not one a class, or give no class that is drawn a weight above 0.
    """
    if kind == "none":
        return None
    if kind == "given" and len(values) != len(counts):
        raise InputError(f"class_weight_values has {len(values)} numbers, there are {len(counts)} classes")
    occurs = counts > 0
    pictures = np.where(occurs, counts, 1).astype(np.float64)
    if kind == "inverse":
        weights = 1 / pictures
    elif kind == "effective":
        weights = 1 / pictures if beta == 1 else (1 - beta) / (1 - beta**pictures)
    elif kind == "given":
        weights = np.asarray(values, np.float64)
    else:
        raise InputError(f"class_weights {kind!r} is none of none, inverse, effective, given")
    weights = np.where(occurs, weights if kind == "given" else weights**strength, 0)
    mean = float((weights * drawn_shares).sum())
    if not mean > 0:
        raise InputError(f"class_weight_values {listing(values)} leave no picture with a weight above 0")
    return torch.tensor(weights / mean, dtype=torch.float32)


def double_correction(sampler_power: float, weights_kind: str, weights_strength: float) -> str | None:
    """A warning if sampler and class weights together correct the class prior more than once, else None."""
    together = sampler_power + weights_strength
    if weights_kind not in ("inverse", "effective") or together <= 1:
        return None
    return (
        f"the sampler (strength {sampler_power:g}) and the class weights ({weights_kind}, strength "
        f"{weights_strength:g}) correct the class prior {together:g} times over: rare classes are answered too often, "
        "and accuracy and F1 fall; let sampler_strength and class_weights_strength add up to at most 1, or set "
        "sampler or class_weights to none"
    )


class Loss(nn.Module):
    """Base class of the losses.

    Args:
        weight: Weights of the classes, float32 (C,); they move with the module and are not in its state.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)

    def weight_as(self, logits: Tensor) -> Tensor | None:
        return None if self.weight is None else self.weight.to(logits.dtype)


class CrossEntropy(Loss):
    """Mean over pictures of -sum_c w_c y_c log softmax(logits)_c, where y is the target.

    Args:
        weight: Weights of the classes.
        smoothing: Share of the target that is spread evenly over all classes, as torch's label_smoothing.
    """

    def __init__(self, weight: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__(weight)
        self.smoothing = smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        losses = F.cross_entropy(
            logits, targets, self.weight_as(logits), reduction="none", label_smoothing=self.smoothing
        )
        return losses.mean()


class FocalLoss(Loss):
    """Mean over pictures of -sum_c w_c y_c (1 - p_c)^gamma log p_c, where p is softmax(logits) and y the target.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, there with sigmoids.

    Args:
        gamma: Focusing; 0 is cross entropy.
        weight: Weights of the classes.
    """

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None) -> None:
        super().__init__(weight)
        self.gamma = gamma

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_p = F.log_softmax(at_least_float32(logits), dim=1)
        # 1 - p, kept above 0, where the derivative of its power is infinite for gamma below 1
        not_p = (1 - log_p.exp()).clamp_min(torch.finfo(log_p.dtype).tiny)
        by_class = -(not_p**self.gamma) * log_p
        weight = self.weight_as(log_p)
        return at_targets(by_class if weight is None else by_class * weight, targets).mean()


class BinaryCrossEntropy(Loss):
    """Cross entropy of an attribute of two values from one logit (N, 1), of class 1: mean over pictures of
    -w_1 y_1 log sigmoid(logit) - w_0 y_0 log sigmoid(-logit)."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        by_class = -F.logsigmoid(torch.cat([-logits, logits], dim=1))
        weight = self.weight_as(logits)
        return at_targets(by_class if weight is None else by_class * weight, targets).mean()


class F1Loss(Loss):
    """1 - macro soft F1 of the batch: 1 - mean over c of 2 sum_n p_nc y_nc / (sum_n p_nc + sum_n y_nc), over the
    classes that occur in the targets or are the most probable of a picture; p is softmax(logits), y the target.

    With one-hot p this is scikit-learn's macro F1. All classes count alike, so it takes no class weights. It is no mean
    over pictures: accumulation and several processes average the losses of smaller batches.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        p = F.softmax(at_least_float32(logits), dim=1)
        y = targets.to(p.dtype) if targets.is_floating_point() else F.one_hot(targets, p.shape[1]).to(p.dtype)
        occurs = (y.sum(0) > 0) | (F.one_hot(p.argmax(1), p.shape[1]).sum(0) > 0)
        f1 = 2 * (p * y).sum(0) / (p.sum(0) + y.sum(0)).clamp_min(torch.finfo(p.dtype).tiny)
        return 1 - (f1 * occurs).sum() / occurs.sum()


def at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def at_targets(by_class: Tensor, targets: Tensor) -> Tensor:
    """Losses (N,) from the losses of each class as target, (N, C): the target's, or the mean over a soft target."""
    if targets.is_floating_point():
        return (by_class * targets).sum(1)
    return by_class.gather(1, targets[:, None]).squeeze(1)


def make_loss(name: str, *, gamma: float, smoothing: float, weight: Tensor | None) -> Loss:
    """The loss that the setting `loss` names, with those of the arguments that it takes.

    Each name also is a choice of the setting: `model.settings.choices.LOSSES`.

    Raises:
        InputError: If there is no loss of the name; the message has the nearest.
    """
    losses: dict[str, Callable[[], Loss]] = {
        "focal": lambda: FocalLoss(gamma, weight),
        "cross_entropy": lambda: CrossEntropy(weight),
        "label_smoothing": lambda: CrossEntropy(weight, smoothing),
        "f1": F1Loss,
        "bce": lambda: BinaryCrossEntropy(weight),
    }
    if name not in losses:
        raise InputError(f"loss {name!r} is none of {listing(losses)}{did_you_mean(name, losses)}")
    return losses[name]()
