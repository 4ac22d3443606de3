"""The training loss of an epoch: its sum over batches, and the first step with a loss that is not finite."""

from __future__ import annotations

import math

import torch

from model.errors import Failure


class EpochLoss:
    """Sums the losses of an epoch's batches on the device, so that a step does not wait for a GPU.

    Args:
        loss_sum: Sum of the losses of the epoch's earlier batches, from a checkpoint; 0 at the start of an epoch.
        device: The device of the losses.
    """

    def __init__(self, loss_sum: float, device: torch.device) -> None:
        self._sum = torch.tensor(loss_sum, device=device)
        self._accumulated = torch.zeros_like(self._sum)  # of batches since the last optimiser step
        self._first_bad_step = torch.tensor(math.inf, device=device)

    def add(self, loss: torch.Tensor, step: int) -> None:
        """Adds the loss of a batch.

        Args:
            loss: A scalar on the device.
            step: Position of the batch in the epoch, from 0.
        """
        self._accumulated += loss
        bad_step = self._first_bad_step.clamp(max=step + 1)
        self._first_bad_step = torch.where(torch.isfinite(loss), self._first_bad_step, bad_step)

    def after_update(self) -> None:
        """Adds the batches since the last optimiser step to the sum. Checkpoints save this sum."""
        self._sum += self._accumulated
        self._accumulated.zero_()

    def sum(self) -> float:
        """Sum of the losses up to the last optimiser step. Waits for the device."""
        return self._sum.item()

    def first_bad_step(self) -> int | None:
        """First step, from 1, whose loss is not finite; None if all are finite. Waits for the device."""
        step = self._first_bad_step.item()
        return int(step) if math.isfinite(step) else None

    def require_finite(self, epoch: int, lr: float, precision: str) -> None:
        """Waits for the device.

        Args:
            epoch: The epoch, from 0.
            lr: The last learning rate.
            precision: Name of the floating-point format.

        Raises:
            Failure: If a loss is not finite; the message says which settings may help.
        """
        bad_step = self.first_bad_step()
        if bad_step is not None:
            other = " or --precision fp32" if precision != "fp32" else ""
            raise Failure(
                f"the loss is not finite at epoch {epoch + 1}, step {bad_step}, learning rate {lr:.3g}: try a lower "
                f"--lr, a longer --warmup_epochs, --clip_grad 1{other}"
            )
