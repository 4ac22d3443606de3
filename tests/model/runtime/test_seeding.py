"""Seeds from several numbers, and seeding all global generators."""

import itertools
import random

import numpy as np
import torch

from model.runtime.seeding import mixed_seed, seed_all


def test_neighbouring_numbers_give_unrelated_seeds_of_63_bits():
    numbers = [*itertools.product(range(4), repeat=3), (5,), (5, 0), (0, 5)]
    seeds = {mixed_seed(*each) for each in numbers}
    assert len(seeds) == len(numbers) - 1  # to numpy, (5,) and (5, 0) are equal
    assert all(0 <= seed < 1 << 63 for seed in seeds) and max(seeds) > 1 << 61
    assert mixed_seed(1, 2, 3) == mixed_seed(1, 2, 3)


def test_every_global_generator_is_seeded():
    def draws(seed: int) -> list[float]:
        seed_all(seed)
        return [torch.rand(()).item(), random.random(), np.random.random()]

    seed = mixed_seed(7)
    first, other = draws(seed), draws(seed + 1)
    assert draws(seed) == first
    assert all(a != b for a, b in zip(first, other))
