"""Nested estimates: no group is scored by what was fitted on it."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model.calibration.nested import nested_classes, nested_gain, number_of_folds
from model.calibration.score_biases import F1, score_of
from model.decisions import Decision


def test_each_image_is_predicted_by_a_decision_of_other_groups(make_held_out):
    held_out = make_held_out(groups=23)
    fitted_on = []

    def fit(part):
        fitted_on.append(part.num_groups)
        return Decision(1.0, (0.0, 0.0, 100.0))

    assert (nested_classes(held_out, fit) == 2).all()
    assert sorted(fitted_on) == [18, 18, 18, 19, 19]
    assert number_of_folds(make_held_out(groups=3)) == 3


def test_a_decision_that_learns_the_labels_by_heart_gains_nothing(make_held_out):
    """A fit that memorises: right for the rows that it has seen, class 2 for the others."""
    held_out = make_held_out(groups=100)
    known = {tuple(row): label for row, label in zip(held_out.probabilities, held_out.truth)}

    class Memory(Decision):
        def __init__(self, rows):
            super().__init__()
            object.__setattr__(self, "rows", rows)

        def classes(self, probabilities):
            return np.array([known[tuple(row)] if tuple(row) in self.rows else 2 for row in probabilities])

    gain = nested_gain(held_out, lambda part: Memory({tuple(row) for row in part.probabilities}), by_f1)
    assert gain.fitted.value < 0.2 and not gain.is_positive


def by_f1(counts):
    return score_of(counts, F1)


def test_the_gain_is_the_difference_of_the_scores(make_held_out):
    held_out = make_held_out(groups=100, biases=(0, 0, -3))
    decision = Decision(1.0, (0.0, 0.0, 3.0))
    gain = nested_gain(held_out, lambda part: decision, by_f1)
    expected = [
        f1_score(held_out.truth, one.classes(held_out.probabilities), average="macro") for one in (Decision(), decision)
    ]
    assert [gain.without.value, gain.fitted.value] == pytest.approx(expected)
    assert gain.difference.value == pytest.approx(expected[1] - expected[0]) and gain.is_positive
    assert gain.difference.low < gain.difference.value < gain.difference.high
