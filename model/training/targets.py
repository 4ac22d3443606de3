"""Targets: what the loss compares the network's outputs with, for the images of a table or of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

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
    """

    classes: list[Tensor]
    rows: Tensor
    distributions: list[Tensor | None] = field(default_factory=list)

    @classmethod
    def of(cls, heads: Heads, table: Table) -> Targets:
        """The targets of all rows of a table."""
        codes = {name: table.labels[name].to_numpy() for name in heads.scheme.names}
        classes = [torch.from_numpy(np.array(targets, np.int64)) for targets in heads.targets(codes)]
        distributions = head_distributions(heads, table) if heads.number_names else []
        return cls(classes, torch.arange(len(table)), distributions)

    def take(self, rows: Tensor) -> Targets:
        """The targets at positions, int64 (m,)."""
        distributions = [None if one is None else one[rows] for one in self.distributions]
        return Targets([classes[rows] for classes in self.classes], self.rows[rows], distributions)

    def to(self, device: torch.device) -> Targets:
        """The targets on a device."""
        classes = [classes.to(device, non_blocking=True) for classes in self.classes]
        distributions = [None if one is None else one.to(device, non_blocking=True) for one in self.distributions]
        return Targets(classes, self.rows.to(device, non_blocking=True), distributions)
