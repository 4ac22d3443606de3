"""Targets: what the loss compares the network's outputs with, for the images of a table or of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from model.data.image_weights import normalised
from model.data.table import Table
from model.network.heads import Heads
from model.training.distributions import head_distributions


@dataclass(frozen=True)
class Targets:
    """The targets of n images.

    Attributes:
        classes: Class of each image for each head, int64 (n,) each, negative if the label is missing.
        rows: Positions of the images in the table, int64 (n,).
        distributions: For each head that learns the distribution of a number, the target over its bins, float32
            (n, bins), 0 if the label is missing; None for other heads. Empty if no head learns one.
        weights: How much each image counts in the loss, float32 (n,), with a mean of 1 over the table's images that
            have a label; None if all count equally.
    """

    classes: list[Tensor]
    rows: Tensor
    distributions: list[Tensor | None] = field(default_factory=list)
    weights: Tensor | None = None

    @classmethod
    def of(cls, heads: Heads, table: Table) -> Targets:
        """The targets of all rows of a table."""
        codes = {name: table.labels[name].to_numpy() for name in heads.scheme.names}
        classes = [torch.from_numpy(np.array(targets, np.int64)) for targets in heads.targets(codes)]
        distributions = head_distributions(heads, table) if heads.number_names else []
        labelled = np.logical_or.reduce([targets.numpy() >= 0 for targets in classes])
        weights = None if table.weights is None else torch.from_numpy(normalised(table.weights, labelled))
        return cls(classes, torch.arange(len(table)), distributions, weights)

    def take(self, rows: Tensor) -> Targets:
        """The targets at positions, int64 (m,)."""
        return self._each(lambda values: values[rows])

    def to(self, device: torch.device) -> Targets:
        """The targets on a device."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Targets:
        """The targets with each tensor changed by a function."""
        distributions = [None if one is None else change(one) for one in self.distributions]
        weights = None if self.weights is None else change(self.weights)
        return Targets([change(classes) for classes in self.classes], change(self.rows), distributions, weights)
