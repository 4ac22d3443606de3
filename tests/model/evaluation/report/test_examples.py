"""Which single images the report shows."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report.examples import least_sure, make_examples, surest_mistakes, surest_right, top_three
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("a", "b", "c", "d")),))
PROBABILITIES = np.array(
    [
        [0.70, 0.20, 0.06, 0.04],  # right
        [0.90, 0.05, 0.03, 0.02],  # right, the surest
        [0.40, 0.39, 0.20, 0.01],  # wrong, unsure
        [0.10, 0.80, 0.06, 0.04],  # wrong, sure
        [0.02, 0.60, 0.37, 0.01],  # right
        [np.nan, np.nan, np.nan, np.nan],  # no answer
        [0.30, 0.10, 0.31, 0.29],  # right, unsure; the answer is not the most probable class
    ]
)
MATCHED = MatchedAnswers(
    SCHEME,
    [f"{row}.jpg" for row in range(7)],
    np.array([0, 0, 1, 0, 1, 2, 0]),
    np.array([0, 0, 0, 1, 1, -1, 0]),
    PROBABILITIES,
)


def test_mistakes_are_sorted_by_confidence_and_unsure_predictions_by_margin():
    assert surest_mistakes(MATCHED) == [3, 2]
    assert least_sure(MATCHED, left_out=[]) == [2, 6, 4, 0, 3, 1]
    assert least_sure(MATCHED, left_out=[2, 6]) == [4, 0, 3, 1]


def test_correct_examples_are_of_as_many_classes_as_possible():
    assert surest_right(MATCHED, left_out=[]) == [1, 4, 0, 6]
    assert surest_right(MATCHED, left_out=[1, 6]) == [0, 4] or surest_right(MATCHED, left_out=[1, 6]) == [4, 0]


@pytest.mark.parametrize(("row", "classes"), [(0, [0, 1, 2]), (6, [0, 2, 3]), (5, [])])
def test_the_predicted_class_is_the_first_of_three(row, classes):
    top = top_three(MATCHED, row)
    assert [code for code, _ in top] == classes
    assert [share for _, share in top] == [PROBABILITIES[row, code] for code in classes]


def test_an_example_marks_differing_attributes_and_has_the_second_class():
    wrong, right = make_examples([3, 0], MATCHED, {})
    assert (wrong.truth, wrong.answer, wrong.is_right) == ([("a", True)], [("b", True)], False)
    assert right.is_right and right.confidence == 0.7 and right.next == ("b", 0.2) and right.thumbnail is None


def test_without_probabilities_there_are_no_examples():
    without = MatchedAnswers(SCHEME, ["x"], np.array([0]), np.array([0]))
    assert surest_mistakes(without) == least_sure(without, []) == surest_right(without, []) == []
