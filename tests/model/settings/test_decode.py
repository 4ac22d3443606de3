"""Every encoding of a setting's value, and values that do not fit."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.settings.decode import decode

NAMED = dict[str, dict[str, Any]]
MAPPING = dict[str, Any]


def encodings(value: Any) -> list[Any]:
    """One value as SageMaker's clients send it: str() of SDK 2, JSON of its frameworks, SDK 3 (JSON, but text
    unchanged), the tuner (text with or without JSON), as a value of YAML or Python; and each in JSON once more."""
    if isinstance(value, str):
        return [value, json.dumps(value), json.dumps(value, ensure_ascii=False), f"  {value} "]
    sent = [str(value), json.dumps(value), json.dumps(value, separators=(",", ":"), sort_keys=True)]
    return [value, *sent, *(json.dumps(text) for text in sent), f"  {sent[0]} "]


@pytest.mark.parametrize(
    "hint, value",
    [
        (bool, True),
        (bool, False),
        (int, 64),
        (int, -3),
        (float, 0.001),
        (float, 1e-05),
        (float, 3.0),
        (str, "adam"),
        (str, "착용샷"),
        (str, "s3://bucket/a b.csv"),
        (str | None, "adam"),
        (float | None, 0.5),
        (list[int], [224, 256]),
        (list[int], []),
        (list[float], [0.485, 1e-06]),
        (list[str], ["worn", "under 30", "none"]),
        (MAPPING, {"momentum": 0.9, "nesterov": True, "betas": [0.9, 0.99], "name": "x", "none": None}),
        (NAMED, {"flip": {"p": 0.5}, "erasing": {}}),
    ],
)
def test_every_encoding_of_a_value_decodes_to_it(hint: Any, value: Any) -> None:
    for sent in encodings(value):
        decoded = decode(hint, sent)
        assert decoded == value and type(decoded) is type(value), sent
    if isinstance(value, list):
        assert decode(hint, tuple(value)) == decode(hint, str(tuple(value))) == value


@pytest.mark.parametrize("text", ["(128, 96)", "128 96", "128,96", "128, 96", " 128  96 ", "['128', '96']", '"128 96"'])
def test_lists_in_every_notation(text: str) -> None:
    assert decode(list[int], text) == [128, 96]


def test_one_value_is_a_list_of_one() -> None:
    assert decode(list[int], 128) == decode(list[int], "128") == decode(list[int], "[128]") == [128]
    assert decode(list[str], "backbone") == ["backbone"]


@pytest.mark.parametrize("text", ["", "none", "None", "null", "[]", "()", '""'])
def test_an_empty_text_is_an_empty_list(text: str) -> None:
    assert decode(list[int], text) == decode(list[str], text) == []


def test_none_among_others_is_a_name() -> None:
    """The mask scheme has a value of that name."""
    assert decode(list[str], "worn none") == ["worn", "none"]


@pytest.mark.parametrize("text", ["True", "true", "TRUE", "1", "yes", "on", "y", "t", '"true"', 1, True])
def test_true_in_any_spelling(text: Any) -> None:
    assert decode(bool, text) is True


@pytest.mark.parametrize("text", ["False", "false", "0", "no", "off", "N", "f", '"False"', 0, False])
def test_false_in_any_spelling(text: Any) -> None:
    """argparse's type=bool takes "False" for true."""
    assert decode(bool, text) is False


@pytest.mark.parametrize("hint", [str | None, float | None, int | None])
@pytest.mark.parametrize("text", [None, "", " ", "none", "None", "null", '"none"', '""'])
def test_an_optional_value_can_be_absent(hint: Any, text: Any) -> None:
    assert decode(hint, text) is None


@given(st.integers(-(10**30), 10**30))
def test_whole_numbers_keep_their_digits(number: int) -> None:
    assert decode(int, number) == decode(int, str(number)) == decode(int, f'"{number}"') == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_digits(number: float) -> None:
    assert decode(float, number) == decode(float, str(number)) == decode(float, json.dumps(str(number))) == number


def test_whole_numbers_may_have_a_decimal_point() -> None:
    assert decode(int, "1e3") == decode(int, "1000.0") == decode(int, 1000.0) == 1000
    assert isinstance(decode(int, 1000.0), int) and isinstance(decode(float, 3), float)


@pytest.mark.parametrize(
    "hint, raw, expected",
    [
        (bool, "maybe", "true or false"),
        (bool, None, "true or false"),
        (bool, "2", "true or false"),
        (int, "3.5", "a whole number"),
        (int, True, "a whole number"),
        (int, "", "a whole number"),
        (int, "12 13", "a whole number"),
        (int, 10**400, "a whole number"),
        (int, [3], "a whole number"),
        (float, "nan", "a number"),
        (float, math.inf, "a number"),
        (float, "1,5", "a number"),
        (str, True, "text, not bool"),
        (str, None, "text, not NoneType"),
        (str, {"a": 1}, "text, not dict"),
        (list[int], "128 x", "a whole number"),
        (list[int], "[128, null]", "a whole number"),
        (list[int], "[128", "expected JSON, YAML or a Python literal"),
        (list[int], "[" * 1100, "expected JSON, YAML or a Python literal"),
        (list[int], True, "a list"),
        (list[int], {"a": 1}, "a list"),
        (MAPPING, "momentum", "a mapping"),
        (MAPPING, "[1]", "a mapping"),
        (MAPPING, 3, "a mapping"),
        (NAMED, '{"flip": 0.5}', "its arguments as a mapping, not 0.5"),
        (NAMED, 3, "names"),
    ],
)
def test_an_error_names_what_was_expected(hint: Any, raw: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        decode(hint, raw)


def test_mappings_of_the_training_toolkits_command_line() -> None:
    assert decode(MAPPING, "a=1,b=x,c=0.5,d=True") == {"a": 1, "b": "x", "c": 0.5, "d": True}
    assert decode(MAPPING, "momentum=0.9 nesterov=true") == {"momentum": 0.9, "nesterov": True}
    assert decode(MAPPING, "none") == decode(MAPPING, "") == {}


def test_names_with_arguments_in_every_form() -> None:
    both = {"flip": {}, "erasing": {"p": 0.2}}
    for form in (
        both,
        ["flip", {"erasing": {"p": 0.2}}],
        '["flip", {"erasing": {"p": 0.2}}]',
        "{'flip': None, 'erasing': {'p': 0.2}}",
        {"flip": True, "erasing": {"p": 0.2}},
    ):
        decoded = decode(NAMED, form)
        assert decoded == both and list(decoded) == ["flip", "erasing"]
    assert decode(NAMED, "flip, erasing") == decode(NAMED, "flip erasing") == {"flip": {}, "erasing": {}}
    assert decode(NAMED, "none") == decode(NAMED, "") == decode(NAMED, []) == {}
    assert decode(NAMED, [["flip"]]) == {"['flip']": {}}  # refused later, as an unknown name


def test_words_without_values_are_shown_as_the_mapping_that_they_may_mean() -> None:
    with pytest.raises(ValueError, match=re.escape('such as {"kind": {}, "season": {}}')):
        decode(dict, "kind season")
