"""Targets and loss of a learned distribution; the references are scipy's normal distribution and sums in Python."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import truncnorm

from model.attributes import MISSING
from model.data.channel import read_channel
from model.data.table import Table
from model.errors import Problems
from model.network.heads import make_heads
from model.network.number_bins import NumberBins, make_bins
from model.settings.numbers import NumberLearning
from model.training.distributions import DistributionLoss, head_distributions, number_distributions

BINS = make_bins("age", (30.0, 60.0), NumberLearning(5.0, 3.0, (10.0, 79.0)), np.array([20.0]))


def targets(*numbers: float, bands: list[int] | None = None, bins: NumberBins = BINS) -> np.ndarray:
    own = bands or [int(number >= 30) + int(number >= 60) for number in numbers]
    return number_distributions(bins, np.array(numbers), np.array(own)).numpy()


@pytest.mark.parametrize("number", [10, 29, 30, 44, 60, 79])
def test_the_target_is_the_truncated_normal_distribution_over_the_bins(number):
    low, high = BINS.edges[0], BINS.edges[-1]
    centre = number + 0.5
    expected = np.diff(truncnorm.cdf(BINS.edges, (low - centre) / 5, (high - centre) / 5, loc=centre, scale=5))
    np.testing.assert_allclose(targets(number)[0], expected, atol=1e-7)


def test_an_image_near_a_cut_counts_for_both_bands_symmetrically():
    below, above = targets(59, 60)
    assert below[BINS.bands == 2].sum() == pytest.approx(above[BINS.bands == 1].sum(), abs=1e-4)
    assert 0.4 < below[BINS.bands == 2].sum() < 0.5


def test_a_number_outside_the_range_counts_as_its_nearest_end():
    np.testing.assert_array_equal(targets(500), targets(79.5))
    np.testing.assert_array_equal(targets(-500), targets(9.5))


def test_a_small_sigma_puts_everything_into_the_bin_of_the_number():
    bins = replace(BINS, sigma=1e-4)
    (target,) = targets(44, bins=bins)
    assert target.sum() == pytest.approx(1)
    (position,) = np.flatnonzero(target)
    assert bins.edges[position] < 44.5 < bins.edges[position + 1]


def test_an_image_with_only_a_band_is_uniform_within_it_and_one_without_a_label_is_0():
    uniform, missing = targets(math.nan, math.nan, bands=[2, MISSING])
    widths = np.diff(BINS.edges)
    np.testing.assert_allclose(uniform, np.where(BINS.bands == 2, widths / (80 - 60), 0), rtol=1e-6)
    assert (missing == 0).all()


def test_the_loss_is_the_divergence_plus_the_weighted_difference_of_the_means():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, len(BINS), generator=generator, dtype=torch.float64)
    target = torch.from_numpy(targets(20, 59, math.nan, bands=[0, 1, 2])).double()
    p, expected = logits.softmax(1), []
    for row in range(3):
        pairs = [(float(t), float(q)) for t, q in zip(target[row], p[row])]
        divergence = sum(t * math.log(t / q) for t, q in pairs if t > 0)
        mean = sum(q * value for (_, q), value in zip(pairs, BINS.values))
        expected.append(divergence + 0.3 * abs(mean - sum(t * value for (t, _), value in zip(pairs, BINS.values))))
    assert DistributionLoss(BINS, 0.3)(logits, target).item() == pytest.approx(sum(expected) / 3, rel=1e-6)
    weight = torch.tensor([0.5, 1.0, 4.0])
    by_row = [float(target[row] @ weight.double()[torch.from_numpy(BINS.bands)]) for row in range(3)]
    weighted = sum(one * loss for one, loss in zip(by_row, expected)) / 3
    assert DistributionLoss(BINS, 0.3, weight)(logits, target).item() == pytest.approx(weighted, rel=1e-6)
    assert by_row[0] == pytest.approx(0.5, abs=0.02) and 1 < by_row[1] < 4


def test_the_mean_of_the_target_is_the_number_of_the_image():
    bins = make_bins("age", (30.0, 60.0), NumberLearning(5.0), np.array([18.0, 60.0]))
    for number in (18, 29, 44, 60):
        assert targets(number, bins=bins)[0] @ bins.values == pytest.approx(number, abs=0.03)


def test_the_loss_is_0_at_the_target_and_its_gradient_is_finite_in_half_precision():
    target = torch.from_numpy(targets(20, 59))
    assert DistributionLoss(BINS, 0.3)(target.clamp_min(1e-30).log(), target).item() == pytest.approx(0, abs=1e-5)
    logits = (1e4 * torch.randn(2, len(BINS), generator=torch.Generator().manual_seed(0))).bfloat16().requires_grad_()
    loss = DistributionLoss(BINS, 0.3)(logits, target)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite() and logits.grad.isfinite().all()


def test_learning_finds_the_numbers():
    """Gradient descent on the logits of two images ends at their numbers."""
    target, logits = torch.from_numpy(targets(22, 57)), torch.zeros(2, len(BINS), requires_grad=True)
    optimiser, loss = torch.optim.Adam([logits], 0.1), DistributionLoss(BINS, 0.2)
    for _ in range(300):
        optimiser.zero_grad()
        loss(logits, target).backward()
        optimiser.step()
    np.testing.assert_allclose(BINS.mean(logits.detach().log_softmax(1).numpy()), [22, 57], atol=0.5)


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


def test_heads_have_the_distributions_of_their_numbers(table):
    heads = make_heads(table.scheme, "heads", lambda head, classes: classes, bins={"age": BINS})
    mask, gender, age = head_distributions(heads, table)
    assert mask is None and gender is None and age is not None
    codes = table.labels["age"].to_numpy()
    np.testing.assert_array_equal(age, number_distributions(BINS, table.numbers["age"].to_numpy(), codes))
    (_, _, uniform) = head_distributions(heads, replace(table, numbers=pd.DataFrame(index=table.numbers.index)))
    assert uniform is not None
    np.testing.assert_array_equal(uniform, number_distributions(BINS, np.full(len(table), np.nan), codes))
