"""Label distribution learning: the targets and the loss of a head that learns the distribution of a number.

Gao et al., Age Estimation Using Expectation of Label Distribution Learning (DLDL-v2), IJCAI 2018.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.data.table import Table
from model.network.heads import Heads
from model.network.number_bins import NumberBins
from model.training.losses import Loss, at_least_float32


def number_distributions(bins: NumberBins, numbers: NDArray[np.float64], bands: NDArray[np.int64]) -> Tensor:
    """The target distributions of images over bins, float32 (n, bins).

    That of an image with a number is the normal distribution around it, integrated over each bin, truncated to the
    range of the bins and normalised. Numbers outside the range count as its nearest end. That of an image with only a
    band is uniform within the band, and that of an image without a label is 0.

    Args:
        bins: The bins.
        numbers: float64 (n,), NaN without one.
        bands: int64 (n,), negative without a label.
    """
    edges = torch.tensor(bins.edges, dtype=torch.float64)
    positions = torch.from_numpy(np.array(numbers, np.float64)) + bins.offset
    positions = positions.clamp(bins.edges[0], bins.edges[-1])
    cumulative = torch.special.ndtr((edges - positions[:, None]) / bins.sigma)
    masses = cumulative.diff(dim=1)
    # within a band, the share of each bin is its width
    widths = edges.diff() * (torch.from_numpy(bins.bands) == torch.from_numpy(np.array(bands, np.int64))[:, None])
    masses = torch.where(torch.isnan(positions)[:, None] | (widths.sum(1, keepdim=True) == 0), widths, masses)
    total = masses.sum(dim=1, keepdim=True)
    return (masses / total.clamp_min(torch.finfo(torch.float64).tiny)).float()


def head_distributions(heads: Heads, table: Table) -> list[Tensor | None]:
    """For each head, the target distributions of all rows, float32 (n, bins); None if it learns classes."""
    without = np.full(len(table), np.nan)
    distributions: list[Tensor | None] = []
    for head in heads.heads:
        if head.bins is None:
            distributions.append(None)
            continue
        (name,) = head.attributes
        numbers = table.numbers[name].to_numpy(np.float64) if name in table.numbers else without
        distributions.append(number_distributions(head.bins, numbers, table.labels[name].to_numpy(np.int64)))
    return distributions


class DistributionLoss(Loss):
    """Mean over images of w (KL(t || p) + expectation_weight |E_p - E_t|), where p is softmax(logits), t the target,
    and E their mean numbers (equations 7 to 9 of the paper, with L1 for the expectation).

    E_t is the image's number, except at the ends of the range, where the target is truncated, and for an image with
    only a band. w is the mean of the bands' weights under the target, so an image near a cut counts for both bands.

    Args:
        bins: The bins, one per logit.
        expectation_weight: Weight of the difference of the means.
        weight: Weights of the bands, float32 (bands,).
    """

    values: Tensor
    bands: Tensor

    def __init__(self, bins: NumberBins, expectation_weight: float, weight: Tensor | None = None) -> None:
        super().__init__(weight)
        self.expectation_weight = expectation_weight
        self.register_buffer("values", torch.tensor(bins.values, dtype=torch.float32), persistent=False)
        self.register_buffer("bands", torch.from_numpy(bins.bands), persistent=False)

    def by_image(self, logits: Tensor, targets: Tensor) -> Tensor:
        """logits: (N, bins); targets: float (N, bins), each with a sum of 1."""
        log_p = torch.log_softmax(at_least_float32(logits), dim=1)
        targets = targets.to(log_p.dtype)
        divergence = (torch.xlogy(targets, targets) - targets * log_p).sum(1)
        difference = ((log_p.exp() - targets) @ self.values.to(log_p.dtype)).abs()
        losses = divergence + self.expectation_weight * difference
        weight = self.weight_as(log_p)
        return losses if weight is None else losses * (targets @ weight[self.bands])
