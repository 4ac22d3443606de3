"""The base class of the losses, and cross entropy, from which several losses are made."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Loss(nn.Module):
    """Base class of the losses: the mean over images of by_image, to which penalty may add.

    Args:
        weight: Weights of the classes, float32 (C,): a buffer, so it moves with the module, but not in its state_dict.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)

    def forward(
        self, logits: Tensor, targets: Tensor, image_weights: Tensor | None = None, penalty: Tensor | None = None
    ) -> Tensor:
        """Returns the loss, a scalar.

        Args:
            logits: Logits, (N, C).
            targets: Classes, int64 (N,), or probabilities, float (N, C).
            image_weights: Factor of each image's loss, float (N,); None for 1.
            penalty: Output of `penalty` for these images, which is added to their losses; None in validation.
        """
        losses = self.by_image(logits, targets)
        losses = losses if penalty is None else losses + penalty
        return (losses if image_weights is None else losses * image_weights).mean()

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each image, (N,)."""
        raise NotImplementedError

    def penalty(self, logits: Tensor, rows: Tensor, partner: Tensor | None, own: float) -> Tensor | None:
        """A further loss of each image in training, (N,), that does not depend on its label; None if there is none.

        Called once for each batch, on all processes.

        Args:
            logits: Logits of the batch, (N, C).
            rows: Positions of its images in the training table, int64 (N,).
            partner: Index of the image that each image is mixed with, int64 (N,); None if they are not mixed.
            own: Share of the own image in a mixed image.
        """
        return None

    def weight_as(self, logits: Tensor) -> Tensor | None:
        return None if self.weight is None else self.weight.to(logits.dtype)


class CrossEntropy(Loss):
    """Mean over images of -sum_c w_c y_c log softmax(logits)_c, where y is the target.

    Args:
        weight: Weights of the classes.
        smoothing: Share of the target that is spread evenly over all classes, like torch's label_smoothing.
    """

    def __init__(self, weight: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__(weight)
        self.smoothing = smoothing

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        return F.cross_entropy(
            logits, targets, self.weight_as(logits), reduction="none", label_smoothing=self.smoothing
        )


def at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def at_targets(by_class: Tensor, targets: Tensor) -> Tensor:
    """Selects each image's loss (N,) from the losses for each possible target, (N, C); for soft targets the mean."""
    if targets.is_floating_point():
        return (by_class * targets).sum(1)
    return by_class.gather(1, targets[:, None]).squeeze(1)
