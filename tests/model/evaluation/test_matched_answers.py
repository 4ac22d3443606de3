"""Truth and answers, of all images and of those with every label."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme

SCHEME = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("small", "large"))))
LABELS = {"kind": np.array([1, 0, -1, 1]), "size": np.array([0, -1, 1, 1])}


@pytest.fixture
def partial():
    """Four images, of which the first and the last have both labels."""
    return MatchedAnswers(
        SCHEME,
        list("abcd"),
        np.array([2, -1, -1, 3]),
        np.array([2, -1, 1, -1]),
        np.arange(16.0).reshape(4, 4),
        np.array([2, 0, 1, 0]),
        "person",
        ["p", "q", "r"],
        {"site": list("wxyz")},
        np.array([0, 1, 2, -1]),
        unanswered=["b", "d"],
        truth_by_attribute=LABELS,
    )


def test_an_image_is_correct_if_it_has_every_label_and_all_are_predicted(partial):
    assert partial.correct.tolist() == [True, False, False, False]
    assert partial.has_all_labels.tolist() == [True, False, False, True]


def test_attributes_have_their_own_true_and_predicted_classes(partial):
    assert [partial.truth_of(name).tolist() for name in SCHEME.names] == [[1, 0, -1, 1], [0, -1, 1, 1]]
    these, others = partial.answers_of("kind")
    assert (these.tolist(), others.tolist()) == ([1, -1, 0, -1], [0, 0, 1, -1])
    assert partial.complete.truth_of("size").tolist() == [0, 1]


def test_a_missing_label_has_a_name_of_its_own(partial):
    names = [partial.true_name(row) for row in range(4)]
    assert names == ["dog/small", "cat/no label", "no label/large", "dog/large"]


def test_the_complete_images_keep_their_fields(partial):
    complete = partial.complete
    assert (complete.names, complete.truth.tolist(), complete.answers.tolist()) == (["a", "d"], [2, 3], [2, -1])
    assert (complete.groups.tolist(), complete.group_names) == ([1, 0], ["p", "r"])
    assert (complete.metadata, complete.unanswered) == ({"site": ["w", "z"]}, ["d"])
    assert complete.probabilities.tolist() == [[0, 1, 2, 3], [12, 13, 14, 15]]
    assert complete.other.tolist() == [0, -1] and complete.complete is complete
    assert complete.group_column == "person" and complete.truth_by_attribute == {}
