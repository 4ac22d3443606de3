"""Weights of a mixture: against scipy's optimiser; the nested gain against a loop."""

import numpy as np
import pytest
from scipy.optimize import minimize

from model.data.splits import assign
from model.decisions import Decision
from model.evaluation.mixture_weights import FLOOR, fit_weights, nested_gain


def draw(seed: int, images: int = 200, models: int = 3, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (K, N, C) of models that are better the higher their number, and true classes."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=images)
    logits = generator.normal(size=(models, images, classes))
    logits[:, np.arange(images), truth] += np.linspace(0.3, 2.0, models)[:, None]
    exp = np.exp(logits)
    return exp / exp.sum(axis=2, keepdims=True), truth


def likelihood(weights: np.ndarray, own: np.ndarray) -> float:
    return float(np.log(np.maximum(own, FLOOR) @ weights).mean())


@pytest.mark.parametrize("seed", range(4))
def test_the_weights_are_those_of_scipys_optimiser(seed):
    probabilities, truth = draw(seed)
    own = probabilities[:, np.arange(len(truth)), truth].T
    weights = fit_weights(own)
    found = minimize(
        lambda w: -likelihood(w, own),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert found.success and likelihood(weights, own) >= -found.fun - 1e-9
    np.testing.assert_allclose(weights, found.x, atol=2e-3)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert likelihood(weights, own) > likelihood(np.full(3, 1 / 3), own)


def test_the_weights_of_a_mixture_that_was_drawn_are_found():
    """Two columns of densities; the images were drawn from 0.8 of the first and 0.2 of the second."""
    generator = np.random.default_rng(0)
    is_first = generator.random(20_000) < 0.8
    x = np.where(is_first, generator.normal(0, 1, 20_000), generator.normal(3, 1, 20_000))
    own = np.stack([np.exp(-(x**2) / 2), np.exp(-((x - 3) ** 2) / 2)], axis=1) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(fit_weights(own), [0.8, 0.2], atol=0.01)


def test_equal_models_share_and_a_model_that_excludes_an_image_survives():
    own = np.random.default_rng(0).uniform(0.1, 0.9, size=(50, 1))
    np.testing.assert_allclose(fit_weights(np.repeat(own, 4, axis=1)), 0.25)
    both = np.concatenate([own, np.ones_like(own)], axis=1)
    both[0, 1] = 0.0  # the better model is sure of a wrong class once
    weights = fit_weights(both)
    assert 0.5 < weights[1] < 1


def test_no_image_is_scored_with_weights_of_its_own_group():
    probabilities, truth = draw(5, images=60)
    probabilities, truth = np.repeat(probabilities, 5, axis=1), np.repeat(truth, 5)  # five equal images per group
    groups = np.repeat(np.arange(60), 5)
    decide = Decision().classes
    gain = nested_gain(probabilities, truth, groups, decide, resamples=300, seed=1)
    folds = assign(groups.astype(str), truth, [1.0] * 5, 1)
    own = probabilities[:, np.arange(300), truth].T
    logs, right = [], []
    for row in range(300):
        weights = fit_weights(own[folds != folds[row]])
        mixed = weights @ probabilities[:, row], np.mean(probabilities[:, row], axis=0)
        logs.append(np.log(mixed[0][truth[row]]) - np.log(mixed[1][truth[row]]))
        right.append(int(mixed[0].argmax() == truth[row]) - int(mixed[1].argmax() == truth[row]))
    assert gain is not None and gain.fold_weights.shape == (5, 3)
    assert gain.log_likelihood.value == pytest.approx(np.mean(logs))
    assert gain.accuracy.value == pytest.approx(np.mean(right))
    # reference: the standard error of the mean over groups
    of_groups = np.array(logs).reshape(60, 5).mean(axis=1)
    width = gain.log_likelihood.high - gain.log_likelihood.low
    assert width == pytest.approx(2 * 2.0 * of_groups.std(ddof=1) / np.sqrt(60), rel=0.15)
    assert gain.is_positive


def test_without_a_real_difference_there_is_no_clear_gain():
    """Six equally good models: fitted weights overfit, and the nested gain says so."""
    generator = np.random.default_rng(3)
    truth = generator.integers(3, size=60)
    logits = generator.normal(size=(6, 60, 3))
    logits[:, np.arange(60), truth] += 1.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    gain = nested_gain(probabilities, truth, None, Decision().classes, resamples=300)
    own = probabilities[:, np.arange(60), truth].T
    assert likelihood(fit_weights(own), own) > likelihood(np.full(6, 1 / 6), own)
    assert gain is not None and not gain.is_positive
    assert nested_gain(probabilities, truth, np.zeros(60, int), Decision().classes) is None
