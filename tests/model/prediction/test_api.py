"""Prediction from Python. That it answers as inference.py does is tested with the job."""

import numpy as np
import pandas as pd
import pytest

from model.attributes import Attribute
from model.decisions import Decision
from model.errors import InputError
from model.labels import Scheme
from model.prediction import predict as predict_of_package
from model.prediction.api import _answer_frame, predict


def test_predict_wants_a_list_and_known_words():
    with pytest.raises(InputError, match="expected a list of images"):
        predict("no-model", "a.jpg")
    for words in ({"tta_mode": "votes"}, {"num_tta": 0}):
        with pytest.raises(InputError, match="tta_mode is soft or vote"):
            predict("no-model", ["a.jpg"], **words)


def test_the_package_hands_it_on():
    assert predict_of_package is predict


def test_a_row_an_image_with_its_class_attributes_and_probabilities():
    scheme = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("small", "large"))))
    probabilities = np.float32([[0.1, 0.2, 0.6, 0.1], [np.nan] * 4, [0, 0, 0, 1]])
    frame = _answer_frame(["a", "b", "2"], probabilities, ["", "no such file", ""], scheme, Decision())
    assert frame.columns.tolist() == [
        "picture", "class", "name", "kind", "size", "error", "cat/small", "cat/large", "dog/small", "dog/large",
    ]  # fmt: skip
    assert frame["class"].dtype == "Int64" and frame["class"].isna().tolist() == [False, True, False]
    assert frame["class"].dropna().tolist() == [2, 3] and frame["picture"].tolist() == ["a", "b", "2"]
    assert frame["name"].tolist() == ["dog/small", "", "dog/large"]
    assert frame[["kind", "size"]].to_numpy().tolist() == [["dog", "small"], ["", ""], ["dog", "large"]]
    assert frame["error"].tolist() == ["", "no such file", ""]
    np.testing.assert_array_equal(frame[scheme.class_names], probabilities)
    assert (frame.dtypes[scheme.class_names] == np.float32).all()


def test_the_class_is_that_of_the_decision_and_an_unreadable_image_has_none():
    scheme = Scheme((Attribute("kind", ("cat", "dog")),))
    probabilities = np.float32([[0.7, 0.3], [np.nan, np.nan], [0.9, 0.1]])
    frame = _answer_frame(["a", "b", "c"], probabilities, ["", "gone", ""], scheme, Decision(biases=(0.0, 1.0)))
    assert frame["name"].tolist() == ["dog", "", "cat"] and frame["class"].isna().tolist() == [False, True, False]


def test_one_attribute_has_no_column_beside_the_name():
    scheme = Scheme((Attribute("kind", ("cat", "dog")),))
    frame = _answer_frame(["a"], np.float32([[0.3, 0.7]]), [""], scheme, Decision())
    assert frame.columns.tolist() == ["picture", "class", "name", "error", "cat", "dog"]
    assert pd.api.types.is_integer_dtype(frame["class"]) and frame["name"][0] == "dog"
