"""Confident learning against cleanlab, or without it against the formulas of the paper."""

import numpy as np
import pytest

from model.metrics.confident import class_thresholds, confident_joint, self_confidence


def drawn(n: int = 200, classes: int = 4, seed: int = 0):
    generator = np.random.default_rng(seed)
    codes = generator.permutation(np.arange(n) % classes)
    probabilities = generator.dirichlet(np.ones(classes), n)
    probabilities[np.arange(n), codes] += generator.random(n)
    return probabilities / probabilities.sum(axis=1, keepdims=True), codes


def test_the_joint_is_that_of_the_paper():
    # class 0 has the threshold 0.7 (mean of 0.9 and 0.5), class 1 that of 0.6 (mean of 0.8, 0.75 and 0.25)
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.25, 0.75], [0.75, 0.25]])
    codes = np.array([0, 0, 1, 1, 1])
    np.testing.assert_allclose(class_thresholds(self_confidence(probabilities, codes), codes, 2), [0.7, 0.6])
    # counted: (0, 0) once, (1, 1) twice, (1, 0) once; scaled to 2 and 3 labels
    np.testing.assert_allclose(confident_joint(probabilities, codes), [[2, 0], [1, 2]])
    np.testing.assert_allclose(self_confidence(probabilities, codes), [0.9, 0.5, 0.8, 0.75, 0.25])


@pytest.mark.parametrize("seed", range(5))
def test_joint_and_scores_are_those_of_cleanlab(seed):
    count = pytest.importorskip("cleanlab.count")
    rank = pytest.importorskip("cleanlab.rank")
    probabilities, codes = drawn(seed=seed)
    expected = count.compute_confident_joint(codes, probabilities, calibrate=True)
    np.testing.assert_allclose(confident_joint(probabilities, codes), expected, atol=1)  # cleanlab rounds
    np.testing.assert_allclose(
        self_confidence(probabilities, codes), rank.get_self_confidence_for_each_label(codes, probabilities)
    )


def test_a_class_without_rows_has_no_threshold():
    probabilities, codes = drawn(classes=3)
    codes[codes == 2] = 1
    assert class_thresholds(self_confidence(probabilities, codes), codes, 3)[2] == np.inf
    joint = confident_joint(probabilities, codes)
    np.testing.assert_allclose(joint.sum(axis=1), np.bincount(codes, minlength=3))
