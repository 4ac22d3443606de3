"""Accuracy against coverage."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.coverage import FEWEST, answer_confidence, coverage_curve
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("a", "b")),))


def matched(correct: list[bool], confidence: list[float], groups: list[int] | None = None) -> MatchedAnswers:
    """Answers a, of which the correct ones are of class a; an answer without confidence has no probabilities."""
    sure = np.array(confidence)
    return MatchedAnswers(
        SCHEME,
        [f"{row}.jpg" for row in range(len(correct))],
        np.where(correct, 0, 1),
        np.zeros(len(correct), np.int64),
        np.column_stack([sure, 1 - sure]),
        groups=None if groups is None else np.array(groups),
    )


def test_the_most_confident_predictions_are_counted_in_any_order_of_rows():
    sure = np.linspace(0.99, 0.51, 40)
    correct = np.arange(40) < 30
    shuffled = np.random.default_rng(0).permutation(40)
    points = coverage_curve(matched(correct[shuffled].tolist(), sure[shuffled].tolist()), 0.95)
    assert [point.pictures for point in points] == list(range(2, 41, 2))
    assert [point.coverage for point in points] == pytest.approx(np.arange(1, 21) / 20)
    assert [point.accuracy.value for point in points] == [min(30, n) / n for n in range(2, 41, 2)]
    assert [point.probability for point in points] == pytest.approx([sure[n - 1] for n in range(2, 41, 2)])
    assert points[-1].accuracy.low < 0.75 < points[-1].accuracy.high


def test_predictions_without_a_probability_are_ignored():
    points = coverage_curve(matched([True] * 20 + [False] * 5, [0.9] * 20 + [np.nan] * 5), 0.0)
    assert points[-1].pictures == 20 and points[-1].accuracy.value == 1 and points[-1].accuracy.low is None


def test_whole_groups_are_drawn():
    rng = np.random.default_rng(1)
    sure, groups = rng.uniform(0.5, 1, 400), np.repeat(np.arange(40), 10)
    correct = np.repeat(rng.random(40) < 0.7, 10).tolist()
    alone, together = (coverage_curve(matched(correct, sure.tolist(), g), 0.95) for g in (None, groups))
    widths = [points[-1].accuracy.high - points[-1].accuracy.low for points in (alone, together)]
    assert widths[1] > 2 * widths[0]


def test_few_images_have_no_curve_and_no_probabilities_no_confidence():
    assert coverage_curve(matched([True] * (FEWEST - 1), [0.9] * (FEWEST - 1)), 0.95) == []
    without = MatchedAnswers(SCHEME, ["a"], np.array([0]), np.array([0]))
    assert coverage_curve(without, 0.95) == [] and np.isnan(answer_confidence(without)).all()


def test_the_confidence_is_that_of_the_predicted_class():
    scheme = Scheme((Attribute("kind", ("a", "b", "c")),))
    probabilities = np.array([[0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [np.nan] * 3])
    answered = MatchedAnswers(scheme, ["x", "y", "z"], np.zeros(3, int), np.array([1, -1, -1]), probabilities)
    np.testing.assert_array_equal(answer_confidence(answered), [0.7, np.nan, np.nan])
