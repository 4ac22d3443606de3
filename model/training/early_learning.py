"""Early-learning regularisation, a loss against wrong labels: Liu et al., Early-Learning Regularization Prevents
Memorization of Noisy Labels, NeurIPS 2020."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.runtime import distributed
from model.training.cross_entropy import CrossEntropy, at_least_float32

CLAMPED = 1e-4  # distance of probabilities from 0 and 1, where the logarithm is infinite, as in the authors' code


class RunningPredictions(nn.Module):
    """t <- beta t + (1 - beta) p for each training image, where p are its predictions; t begins with 0.

    The averages are in the module's state, so checkpoints contain them. All processes hold all averages and update them
    with the predictions of all processes. An image that is drawn several times in a batch is updated once, with the
    mean of its predictions.

    Args:
        images: Number of training images.
        classes: Number of classes, C.
        beta: Weight of the average; 1 - beta is that of new predictions.
    """

    average: Tensor  # float32 (images, C)

    def __init__(self, images: int, classes: int, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.register_buffer("average", torch.zeros(images, classes))

    @torch.no_grad()
    def update(self, probabilities: Tensor, rows: Tensor, share: float = 1.0) -> None:
        """Updates the averages of a batch. Must be called on every process, with equally many images.

        Args:
            probabilities: Predictions, float32 (N, C).
            rows: Positions of the images, int64 (N,).
            share: Share of the own image in mixed images: the averages move by (1 - beta) * share. Each process has its
                own.
        """
        shares = torch.full((len(rows), 1), share, device=rows.device)
        rows, probabilities, shares = map(distributed.gather_rows, (rows, probabilities, shares))
        # mean of an image's predictions in this batch: equal for all its draws, so their order does not matter
        is_same = (rows[:, None] == rows[None, :]).to(probabilities.dtype)
        total = is_same @ shares
        mean = is_same @ (shares * probabilities) / total.clamp_min(torch.finfo(total.dtype).tiny)
        step = (1 - self.beta) * total / is_same.sum(1, keepdim=True)
        self.average[rows] += step * (mean - self.average[rows])

    def of(self, rows: Tensor) -> Tensor:
        """The averages of images, float32 (N, C). rows: their positions, int64 (N,)."""
        return self.average[rows]


class EarlyLearningLoss(CrossEntropy):
    """Early-learning regularisation: cross entropy + strength * log(1 - sum_c p_c t_c), a mean over images.

    p is softmax(logits), and t the running average of the image's own predictions: it holds the network to what it
    predicted before it memorised wrong labels. In validation it is the cross entropy alone.

    A mixed image is compared with the mixed averages of its two images, and moves the average of its own image by its
    own share.

    Args:
        images: Number of training images.
        classes: Number of classes.
        strength: Factor of the regularisation, lambda in the paper.
        beta: Weight of the average when it is updated.
        weight: Weights of the classes in the cross entropy.
    """

    def __init__(
        self, images: int, classes: int, strength: float = 3.0, beta: float = 0.7, weight: Tensor | None = None
    ) -> None:
        super().__init__(weight)
        self.strength = strength
        self.predictions = RunningPredictions(images, classes, beta)

    def penalty(self, logits: Tensor, rows: Tensor, partner: Tensor | None, own: float) -> Tensor:
        p = F.softmax(at_least_float32(logits), dim=1).clamp(CLAMPED, 1 - CLAMPED)
        share = own if partner is not None else 1.0
        self.predictions.update((p / p.sum(1, keepdim=True)).detach().float(), rows, share)
        t = self.predictions.of(rows).to(p.dtype)
        if partner is not None:
            t = own * t + (1 - own) * t[partner]
        return self.strength * torch.log1p(-(p * t).sum(1))
