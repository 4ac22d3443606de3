"""Suspected label errors, and two models image by image."""

import csv

import numpy as np

from model.attributes import Attribute
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.suspects import compare_answers, suspected_label_errors, write_lists
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("착용", "large"))))


def make(truth: list[int], answers: list[int], sure: list[float], other: list[int] | None = None) -> MatchedAnswers:
    """The answer has probability `sure`, the other classes share the rest."""
    probabilities = np.repeat((1 - np.array(sure))[:, None] / 3, 4, axis=1)
    rows = np.arange(len(truth))
    probabilities[rows, answers] = sure
    probabilities[np.array(answers) < 0] = np.nan
    names = [f"{row}.jpg" for row in rows]
    others = None if other is None else np.array(other)
    return MatchedAnswers(SCHEME, names, np.array(truth), np.array(answers), probabilities, other=others)


def table(path) -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_wrong_prediction_with_the_usual_probability_of_its_class_is_suspect():
    # class 0 has 0.8 on average on its own two images, class 1 has 0.4 on its own
    matched = make([0, 0, 1, 1, 1, 2, 3], [0, 0, 1, 0, 0, 1, -1], [0.9, 0.7, 0.9, 0.85, 0.79, 0.6, 0.5])
    assert suspected_label_errors(matched).tolist() == [3, 5]
    assert suspected_label_errors(make([0, 0], [1, 1], [0.9, 0.9])).tolist() == []  # nothing to compare 1 with


def test_without_probabilities_there_is_no_suspect():
    assert not len(suspected_label_errors(MatchedAnswers(SCHEME, ["a"], np.array([0]), np.array([1]))))


def test_suspects_are_a_table_for_people(tmp_path):
    matched = make([0, 0, 1, 1], [0, 0, 1, 0], [0.9, 0.7, 0.9, 0.85])
    assert write_lists(tmp_path, matched) == ["suspects.csv"]
    assert table(tmp_path / "suspects.csv") == [
        ["image", "given", "predicted", "probability", "given_probability"],
        ["3.jpg", "cat/large", "cat/착용", "0.8500", "0.0500"],
    ]
    assert write_lists(tmp_path, make([0], [0], [0.9])) == [] and not (tmp_path / "suspects.csv").exists()


def test_two_models_are_compared_image_by_image(tmp_path):
    sure = [0.6, 0.7, 0.9, 0.5, 0.5, 0.8]
    matched = make([0, 0, 1, 2, 3, 1], [0, 1, 1, 3, -1, 1], sure, other=[1, 0, -1, 3, 3, 1])
    comparison = compare_answers(matched)
    assert comparison.these.tolist() == [2, 0] and comparison.others.tolist() == [1, 4]
    assert (comparison.both, comparison.neither) == (1, 1)
    assert "compared.csv" in write_lists(tmp_path, matched)
    assert table(tmp_path / "compared.csv") == [
        ["image", "given", "these", "others", "right", "probability"],
        ["2.jpg", "cat/large", "cat/large", "", "these", "0.9000"],
        ["0.jpg", "cat/착용", "cat/착용", "cat/large", "these", "0.6000"],
        ["1.jpg", "cat/착용", "cat/large", "cat/착용", "others", "0.7000"],
        ["4.jpg", "dog/large", "", "dog/large", "others", ""],
    ]
    assert compare_answers(make([0], [0], [0.9])) is None
