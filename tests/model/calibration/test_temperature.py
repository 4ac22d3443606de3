"""The temperature, against scikit-learn's log loss on a grid."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from model.calibration.temperature import fit_temperature, negative_log_likelihood


def test_the_likelihood_is_scikit_learns_log_loss(make_held_out):
    held_out = make_held_out(groups=50)
    expected = log_loss(held_out.truth, held_out.probabilities, labels=[0, 1, 2])
    assert negative_log_likelihood(held_out.log_probabilities, held_out.truth) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_calibrated_logits_that_were_multiplied_is_found(make_held_out, true):
    held_out = make_held_out(groups=2000)
    logits = held_out.log_probabilities * true
    found = fit_temperature(logits, held_out.truth)
    assert found == pytest.approx(true, rel=0.08)
    grid = np.geomspace(0.2, 6, 200)
    losses = [log_loss(held_out.truth, softmax(logits / value, axis=1), labels=[0, 1, 2]) for value in grid]
    assert negative_log_likelihood(logits / found, held_out.truth) <= min(losses) + 1e-6


def test_without_images_it_is_1():
    assert fit_temperature(np.empty((0, 2)), np.empty(0, np.int64)) == 1
