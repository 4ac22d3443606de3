"""Everything random is a function of the run's seed and of where it is drawn (epoch, step, picture), so that a run
that goes on from a checkpoint draws what it would have drawn without stopping."""

from __future__ import annotations

import random

import numpy as np
import torch


def mixed_seed(*numbers: int) -> int:
    """One seed of 63 bits from several numbers; neighbours give unrelated ones."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def seed_all(seed: int) -> None:
    """torch's (CPU and GPU), random's and numpy's global generators begin at seed."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 0.3 ms, most of it for absent GPUs
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
