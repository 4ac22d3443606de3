"""Vocabularies: which values are known, bins of numbers, and texts of values."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from model.errors import InputError
from model.images.vocabulary import UNKNOWN, MetadataColumn, Vocabulary, default_size, value_text


def test_rare_values_are_unknown_and_are_not_kept():
    values = ["red"] * 5 + ["blue"] * 4 + [" red "] * 2 + ["green"] * 9
    column = MetadataColumn.of("colour", values, min_count=5, size=3)
    assert (column.values, column.edges, column.entries) == (("green", "red"), (), 3)
    assert column.codes(["blue", "green", "red ", "purple", "", None, "RED", ["red"]]).tolist() == [
        0,
        1,
        2,
        0,
        0,
        0,
        0,
        0,
    ]
    assert column.codes([]).shape == (0,) and column.codes(["red"]).dtype == np.int64


def test_an_empty_value_is_known_if_enough_images_lack_the_value():
    assert MetadataColumn.of("colour", ["red"] * 9 + [""] * 4, min_count=5, size=3).values == ("red",)
    column = MetadataColumn.of("colour", ["red"] * 9 + ["", " "] * 3, min_count=5, size=3)
    assert column.values == ("", "red")
    assert column.codes(["", float("nan"), None, "red", "blue"]).tolist() == [1, 1, 1, 2, UNKNOWN]


def test_whole_numbers_and_few_fractions_are_categories():
    whole = [str(number) for number in range(100) for _ in range(5)]
    assert len(MetadataColumn.of("code", whole, 5, 2).values) == 100
    few = [f"{number / 2}" for number in range(20) for _ in range(5)]
    assert len(MetadataColumn.of("size", few, 5, 2).values) == 20
    assert MetadataColumn.of("size", [*few, "10.5"], 5, 2).edges


def test_fractions_are_put_in_bins_of_about_equal_size():
    numbers = np.random.default_rng(0).lognormal(size=1000).round(3)
    texts = [*map(str, numbers), *[""] * 7]
    column = MetadataColumn.of("price", texts, min_count=5, size=4)
    deciles = pd.qcut(numbers, 10).codes
    codes = column.codes(texts)
    assert (column.values, column.entries) == (("",), 12) and (codes[1000:] == 1).all()
    # pandas' bins are closed on the right, these on the left; only images on an edge may differ
    assert (codes[:1000] - 2 == deciles).mean() > 0.98
    assert np.bincount(codes[:1000])[2:].min() > 90
    np.testing.assert_array_equal(codes[:1000] - 2, np.digitize(numbers, column.edges))
    assert column.codes(["-1e9", 1e9, "cheap", "nan", "inf"]).tolist() == [2, 11, 0, 0, 0]


@pytest.mark.parametrize("number", [0, 40, 500, 880])
def test_no_bin_is_empty(number):
    """A number of many images makes fewer bins; without any edge the column is of categories."""
    texts = ["0.0"] * number + [f"{number}.5" for number in range(100)]
    column = MetadataColumn.of("price", texts, min_count=5, size=4)
    assert len(column.edges) == {0: 9, 40: 7, 500: 1, 880: 1}[number]
    assert set(column.codes(texts)) == set(range(1, len(column.edges) + 2))
    most = MetadataColumn.of("price", ["0.0"] * 2000 + texts, min_count=5, size=4)
    assert (most.values, most.edges) == (("0.0",), ())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a\u0308 ", "ä"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (True, "True"),
        (np.bool_(False), "False"),
        (float("nan"), ""),
        (10**400, "1" + "0" * 400),
        (float("inf"), "inf"),
        (None, ""),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_values_of_json_and_python_have_the_text_of_a_table(value, text):
    assert value_text(value) == text


def test_a_number_of_json_and_its_text_have_the_same_code():
    column = MetadataColumn.of("code", ["3"] * 5 + ["10000000000000000000000"] * 5, 5, 2)
    assert column.codes([3, "3", 3.0, 10**22, "3.0"]).tolist() == [2, 2, 2, 1, UNKNOWN]


def test_default_size_is_fastais_rule():
    assert [default_size(entries) for entries in (1, 2, 10, 100, 10**6)] == [2, 2, 6, 21, 600]
    assert MetadataColumn.of("a", list("abcdefghi") * 5, 5, 0).size == default_size(10) == round(1.6 * 10**0.56)


def test_codes_of_columns_are_in_order_and_columns_that_are_not_given_are_unknown():
    values = {"a": ["x"] * 5, "b": ["y"] * 5, "c": ["z"] * 5}
    vocabulary = Vocabulary.of(values, ["c", "a"], min_count=5)
    assert vocabulary.names == ("c", "a")
    assert vocabulary.codes({"a": ["x", "?"], "b": ["y", "y"]}, 2).tolist() == [[0, 1], [0, 0]]
    assert vocabulary.codes({}, 3).tolist() == [[0, 0]] * 3


def test_a_vocabulary_is_the_same_after_saving():
    values = {"a": ["x"] * 5, "b": [str(number / 3) for number in range(99)]}
    vocabulary = Vocabulary.of(values, ["a", "b"], min_count=5, size=3)
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary
    assert hash(vocabulary) == hash(Vocabulary.from_dict(vocabulary.to_dict()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size = 0"),
        ({"values": ["x", "x"]}, "listed twice"),
        ({"values": [1]}, "expected text"),
        ({"edges": [2, 1]}, "increasing"),
        ({"edges": ["a"]}, "could not convert"),
        ({"name": None}, "expected text"),
    ],
)
def test_damaged_vocabularies_are_errors(change, message):
    saved = {"name": "a", "size": 2, "values": ["x"], "edges": []}
    with pytest.raises(InputError, match=message):
        Vocabulary.from_dict([{**saved, **change}])


def test_vocabularies_have_columns_and_these_have_different_names():
    saved = {"name": "a", "size": 2, "values": ["x"], "edges": []}
    for columns in ([], [saved, saved], [{}], "ab"):
        with pytest.raises(InputError, match="invalid metadata columns"):
            Vocabulary.from_dict(columns)
