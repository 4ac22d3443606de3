"""References: a minimiser of scipy, and models that are right although labels are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from model.cleaning.temperature import fit_temperature, tempered


def confident(codes: np.ndarray, classes: int = 2, probability: float = 0.98) -> np.ndarray:
    """Probabilities of a model that gives this probability to these classes."""
    rows = np.full((len(codes), classes), (1 - probability) / (classes - 1))
    rows[np.arange(len(codes)), codes] = probability
    return rows


def drawn(codes: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities of a good model, of varying confidence."""
    logits = np.eye(classes)[codes] * 5 + np.random.default_rng(5).normal(size=(len(codes), classes))
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_temperature_is_that_of_the_smallest_loss():
    generator = np.random.default_rng(0)
    codes = generator.integers(3, size=2_000)
    logits = np.eye(3)[codes] * 2 + generator.normal(size=(2_000, 3))
    own = np.exp(logits * 3)
    own /= own.sum(axis=1, keepdims=True)

    def loss(log_temperature: float) -> float:
        return float(-np.log(tempered(own, np.exp(log_temperature))[np.arange(2_000), codes]).mean())

    assert np.log(fit_temperature(own, codes)) == pytest.approx(minimize_scalar(loss).x, abs=0.04)
    assert fit_temperature(own[:0], codes[:0]) == 1
    # a model that is right stays sure although a tenth of the labels is random
    noisy = np.where(generator.random(2_000) < 0.1, generator.integers(3, size=2_000), codes)
    sharp = drawn(codes, 3)
    with_random = fit_temperature(sharp, noisy)
    assert with_random == pytest.approx(fit_temperature(sharp, codes), rel=0.25)
    rows = np.arange(2_000)
    losses = [
        -np.log(tempered(sharp, temperature)[rows, noisy]).mean() for temperature in (with_random, 2 * with_random)
    ]
    assert losses[0] > losses[1]  # the usual fit would be less sure
