"""The noise model on simulated labels with a known noise matrix."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from model.cleaning import noise_model
from model.cleaning.noise_model import fit_noise_model

NOISE = np.array([[0.9, 0.05, 0.05], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])


def drawn(n: int = 3000, sharpness: float = 3.0, seed: int = 0):
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, sharpness, (n, 3))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    truth = np.array([generator.choice(3, p=row) for row in probabilities])
    given = np.array([generator.choice(3, p=NOISE[code]) for code in truth])
    return probabilities, truth, given


def test_the_noise_matrix_and_the_scores_are_recovered():
    probabilities, truth, given = drawn()
    model = fit_noise_model([probabilities], given)
    np.testing.assert_allclose(model.noise, NOISE, atol=0.04)
    assert model.weights[0] == pytest.approx(1, abs=0.15)
    wrong = 1 - model.posterior([probabilities], given)[np.arange(len(given)), given]
    assert wrong.sum() == pytest.approx((truth != given).sum(), rel=0.1)
    for low in (0.2, 0.5, 0.8):  # scores are probabilities
        part = (wrong >= low) & (wrong < low + 0.2)
        assert (truth != given)[part].mean() == pytest.approx(wrong[part].mean(), abs=0.1)


def test_many_wrong_labels_are_found_with_a_classifier_that_has_learned_from_them():
    """It predicts the given labels, so its probabilities are low everywhere."""
    noise = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.2, 0.2, 0.6]])
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 2000)
    features = 2.5 * np.eye(3)[truth] + generator.normal(0, 1, (2000, 3))
    given = np.array([generator.choice(3, p=noise[code]) for code in truth])
    source = cross_val_predict(LogisticRegression(), features, given, cv=5, method="predict_proba")
    model = fit_noise_model([source], given)
    posterior = model.posterior([source], given)
    assert source.max(axis=1).mean() < 0.65
    assert 1 - posterior[np.arange(len(given)), given].mean() == pytest.approx((truth != given).mean(), abs=0.05)
    assert (posterior.argmax(axis=1) == truth).mean() > 0.85


def test_an_overconfident_source_is_scaled_and_a_useless_one_ignored():
    probabilities, _, given = drawn()
    sharp = probabilities**2 / (probabilities**2).sum(axis=1, keepdims=True)
    random = np.random.default_rng(1).dirichlet(np.ones(3), len(given))
    model = fit_noise_model([sharp, random], given)
    assert model.weights[0] == pytest.approx(0.5, abs=0.1) and model.weights[1] < 0.1


def test_sources_that_know_nothing_raise_no_suspicion():
    generator = np.random.default_rng(0)
    given = generator.integers(0, 3, 500)
    random = generator.dirichlet(np.full(3, 20), 500)
    wrong = 1 - fit_noise_model([random], given).posterior([random], given)[np.arange(500), given]
    assert wrong.max() < 0.5


@pytest.mark.parametrize("labels", [(0.95, 0.05), (0.98, 0.02), (0.7, 0.2, 0.08, 0.02)])
def test_a_rare_class_that_the_sources_do_not_recognise_is_not_taken_for_errors(labels):
    """With equal errors for all classes, all its labels would be wrong with probability 1."""
    generator, size = np.random.default_rng(0), len(labels)
    given = generator.choice(size, 1500, p=labels)
    sources = [np.tile(labels, (1500, 1)), generator.dirichlet(20 * np.array(labels), 1500)]
    wrong = 1 - fit_noise_model(sources, given).posterior(sources, given)[np.arange(1500), given]
    assert wrong.max() < 0.2 and wrong.sum() < 0.05 * 1500


def test_even_errors_are_equal_for_classes_of_equal_size_and_rare_labels_are_rarely_wrong():
    np.testing.assert_allclose(
        noise_model._even_errors(np.full(4, 0.25), 0.06), np.full((4, 4), 0.02) + np.eye(4) * 0.92
    )
    labels = np.array([0.6, 0.3, 0.1])
    noise = noise_model._even_errors(labels, 0.05)
    np.testing.assert_allclose(noise.sum(axis=1), 1)
    given_to_others = (labels[:, None] * noise).sum(axis=0) - labels * np.diag(noise)
    assert given_to_others[2] == pytest.approx(0.05 * 0.1) and (given_to_others <= 0.05 * labels + 1e-12).all()
    assert noise_model._even_errors(np.ones(1), 0.05).tolist() == [[1.0]]


def test_images_without_a_prediction_are_judged_by_the_other_source():
    probabilities, _, given = drawn(500)
    partial = probabilities.copy()
    partial[::2] = np.nan
    posterior = fit_noise_model([probabilities, partial], given).posterior([probabilities, partial], given)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)


def test_the_gradient_is_that_of_the_loss():
    probabilities, _, given = drawn(50)
    logs = noise_model._logs([probabilities, probabilities[:, ::-1]])
    start = np.array([0.7, 0.2, 0.1, -0.3, 0.2])
    _, gradient = noise_model._loss(start, logs, given, NOISE + 1e-3)
    numeric = approx_fprime(start, lambda x: noise_model._loss(x, logs, given, NOISE + 1e-3)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)


def test_the_order_of_the_rows_does_not_matter():
    probabilities, _, given = drawn(400)
    order = np.random.default_rng(0).permutation(400)
    whole = fit_noise_model([probabilities], given).posterior([probabilities], given)
    mixed = fit_noise_model([probabilities[order]], given[order]).posterior([probabilities[order]], given[order])
    np.testing.assert_allclose(mixed, whole[order], atol=1e-3)
