"""The loss of an epoch: its sum over batches, and the first step whose loss is not finite."""

from __future__ import annotations

import math

import torch


class EpochLoss:
    """Sums the losses of an epoch's batches, on the device, so that no step waits for it.

    Args:
        loss_sum: Sum of the losses of the epoch's batches before this start, from a checkpoint.
        device: Where the losses are computed.
    """

    def __init__(self, loss_sum: float, device: torch.device) -> None:
        self._sum = torch.tensor(loss_sum, device=device)
        self._accumulated = torch.zeros_like(self._sum)  # of batches since the last optimiser step
        self._first_bad_step = torch.tensor(math.inf, device=device)

    def add(self, loss: torch.Tensor, step: int) -> None:
        """Adds the loss of a batch, a scalar on the device. step: position of the batch in the epoch."""
        self._accumulated += loss
        bad_step = self._first_bad_step.clamp(max=step + 1)
        self._first_bad_step = torch.where(torch.isfinite(loss), self._first_bad_step, bad_step)

    def after_update(self) -> None:
        """Counts the batches since the last optimiser step into the sum, which a checkpoint then holds."""
        self._sum += self._accumulated
        self._accumulated.zero_()

    def sum(self) -> float:
        """Sum of the losses up to the last optimiser step. Waits for the device."""
        return self._sum.item()

    def first_bad_step(self) -> int | None:
        """The first step, counted from 1, whose loss is not finite; None if there is none. Waits for the device."""
        step = self._first_bad_step.item()
        return int(step) if math.isfinite(step) else None
