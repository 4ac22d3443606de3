"""Targets: what the loss compares the network's outputs with, for the images of a table or of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.data.table import Table
from model.network.heads import Heads


@dataclass(frozen=True)
class Targets:
    """The targets of n images.

    Attributes:
        classes: Class of each image for each head, int64 (n,) each, negative if the label is missing.
        rows: Positions of the images in the table, int64 (n,).
    """

    classes: list[Tensor]
    rows: Tensor

    @classmethod
    def of(cls, heads: Heads, table: Table) -> Targets:
        """The targets of all rows of a table."""
        codes = {name: table.labels[name].to_numpy() for name in heads.scheme.names}
        classes = [torch.from_numpy(np.array(targets, np.int64)) for targets in heads.targets(codes)]
        return cls(classes, torch.arange(len(table)))

    def take(self, rows: Tensor) -> Targets:
        """The targets at positions, int64 (m,)."""
        return Targets([classes[rows] for classes in self.classes], self.rows[rows])

    def to(self, device: torch.device) -> Targets:
        """The targets on a device."""
        classes = [classes.to(device, non_blocking=True) for classes in self.classes]
        return Targets(classes, self.rows.to(device, non_blocking=True))
