from __future__ import annotations

import math

import pytest
import torch

from model.errors import Failure
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


def test_a_loss_that_is_not_finite_is_an_error_that_names_its_position_and_ways_out():
    loss = EpochLoss(0.0, CPU)
    loss.add(torch.tensor(1.0), 0)
    loss.require_finite(0, 0.1, "fp32")
    loss.add(torch.tensor(math.nan), 1)
    for precision, other in (("fp32", ""), ("fp16", " or --precision fp32")):
        with pytest.raises(Failure) as error:
            loss.require_finite(2, 0.1, precision)
        assert "epoch 3, step 2, learning rate 0.1: try a lower --lr" in str(error.value)
        assert str(error.value).endswith(f"--clip_grad 1{other}")
