from __future__ import annotations

import math

import pytest
import torch

from model.training.epoch_loss import EpochLoss

CPU = torch.device("cpu")


def test_losses_are_counted_at_their_optimiser_step():
    loss = EpochLoss(1.5, CPU)
    for step, value in enumerate((0.25, 0.5)):
        loss.add(torch.tensor(value), step)
    assert loss.sum() == 1.5
    loss.after_update()
    assert loss.sum() == 2.25
    loss.add(torch.tensor(1.0), 2)
    loss.after_update()
    assert loss.sum() == 3.25 and loss.first_bad_step() is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_step_with_a_loss_that_is_not_finite_is_recorded(bad: float):
    loss = EpochLoss(0.0, CPU)
    for step, value in enumerate((1.0, bad, 2.0, math.nan)):
        loss.add(torch.tensor(value), step)
    assert loss.first_bad_step() == 2
