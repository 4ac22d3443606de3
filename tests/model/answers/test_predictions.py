"""Predictions for people: the classes by name, the most probable ones first."""

import numpy as np

from model.answers.predictions import PredictionTable, terminal_rows, top_classes
from model.attributes import Attribute
from model.decisions import Ask, Decision
from model.labels import Scheme

KINDS = Scheme((Attribute("kind", ("cat", "dog", "owl", "eel")),))
SHIRTS = Scheme((Attribute("error", ("none", "stain")), Attribute("colour", ("red", "blue", "착용"))))


def test_a_row_has_the_three_most_probable_classes_with_their_probabilities():
    table = PredictionTable(KINDS, Decision(), "ImageID")
    assert table.header == [
        "ImageID", "predicted", "probability", "second", "second_probability", "third", "third_probability", "error",
    ]  # fmt: skip
    rows = list(table.rows(["a", "b"], np.float32([[0.1, 0.2, 0.65, 0.05], [0.25, 0.25, 0.25, 0.25]])))
    assert rows[0] == ["a", "owl", "0.6500", "dog", "0.2000", "cat", "0.1000", ""]
    assert rows[1] == ["b", "cat", "0.2500", "dog", "0.2500", "owl", "0.2500", ""]
    assert table.unread("c", "not an image") == ["c", "", "", "", "", "", "", "not an image"]


def test_two_classes_have_no_third():
    table = PredictionTable(KINDS.only("kind"), Decision(), "path")
    two = PredictionTable(Scheme((Attribute("kind", ("cat", "dog")),)), Decision(), "path")
    assert table.header[-2] == "third_probability" and two.header[-2:] == ["second_probability", "error"]
    assert list(two.rows(["a"], np.float32([[0.3, 0.7]]))) == [["a", "dog", "0.7000", "cat", "0.3000", ""]]


def test_each_of_several_attributes_has_a_column_for_any_name():
    table = PredictionTable(SHIRTS, Decision(), "colour")
    assert table.header[:5] == ["colour", "predicted", "predicted_error", "predicted_colour", "probability"]
    (row,) = table.rows(["a.jpg"], np.float32([[0.05, 0.05, 0.1, 0.1, 0.1, 0.6]]))
    assert row[:5] == ["a.jpg", "stain/착용", "stain", "착용", "0.6000"] and len(row) == len(table.header)


def test_the_decision_chooses_the_class_and_ranks_the_others():
    probabilities = np.float32([[0.4, 0.3, 0.2, 0.1]])
    biased = Decision(biases=(0.0, 0.0, 0.0, 3.0))
    assert top_classes(probabilities, biased, 3).tolist() == [[3, 0, 1]]
    (row,) = PredictionTable(KINDS, biased, "path").rows(["a"], probabilities)
    assert row[1:5] == ["eel", "0.1000", "cat", "0.4000"]


def test_the_predicted_class_is_first_even_if_a_rule_does_not_choose_the_best_score():
    class Second(Decision):
        def classes(self, probabilities):
            return np.argsort(-probabilities, axis=-1)[..., 1]

    assert top_classes(np.float32([[0.4, 0.3, 0.2, 0.1]]), Second(), 3).tolist() == [[1, 0, 2]]


def test_no_images_have_no_rows():
    assert list(PredictionTable(KINDS, Decision(), "path").rows([], np.empty((0, 4), np.float32))) == []


def test_a_terminal_has_shares_in_percent():
    (row,) = terminal_rows(["착용 a.jpg"], np.float32([[0.1, 0.2, 0.65, 0.05]]), KINDS, Decision())
    assert row == [["착용 a.jpg", "owl", "65.0%", "dog 20.0%", "cat 10.0%"]]
    two = Scheme((Attribute("kind", ("cat", "dog")),))
    (row,) = terminal_rows(["a"], np.float32([[0.3, 0.7]]), two, Decision())
    assert row == [["a", "dog", "70.0%", "cat 30.0%"]]


def test_a_terminal_has_a_row_per_attribute_with_the_sum_over_its_joint_classes():
    """The predicted value comes first, even if the other values of the attribute are more probable."""
    (rows,) = terminal_rows(["a"], np.float32([[0.2, 0.25, 0.15, 0.05, 0.3, 0.05]]), SHIRTS, Decision())
    assert rows == [
        ["a", "stain/blue", "30.0%", "none/blue 25.0%", "none/red 20.0%"],
        ["", "error: stain", "40.0%", "none 60.0%", ""],
        ["", "colour: blue", "55.0%", "red 25.0%", "착용 20.0%"],
    ]


def test_an_estimated_number_is_beside_the_attributes_and_empty_where_it_is_unknown():
    table = PredictionTable(SHIRTS, Decision(), "path", ("colour",))
    assert table.header[1:5] == ["predicted", "predicted_error", "colour", "colour_number"]
    probabilities = np.full((3, 6), 1 / 6, np.float32)
    rows = list(table.rows(["a", "b", "c"], probabilities, {"colour": np.float32([34.25, np.nan, 1234567])}))
    assert [row[4] for row in rows] == ["34.25", "", "1.23457e+06"]
    assert [row[4] for row in table.rows(["a"], probabilities[:1])] == [""]
    assert len(table.unread("a", "gone")) == len(table.header)


def test_a_decision_that_asks_has_a_column_before_the_error():
    table = PredictionTable(KINDS, Ask(thresholds=(0.5, 0.0, 0.9, 0.0)), "ImageID")
    assert table.header[-2:] == ["ask_person", "error"] and len(table.header) == 9
    rows = list(table.rows(["a", "b"], np.float32([[0.1, 0.2, 0.65, 0.05], [0.6, 0.2, 0.1, 0.1]])))
    assert [row[-2:] for row in rows] == [["yes", ""], ["no", ""]] and [len(row) for row in rows] == [9, 9]
    assert table.unread("c", "not an image") == ["c", *[""] * 7, "not an image"]
