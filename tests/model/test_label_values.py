"""Texts that are numbers, names that are equal, and the content of a column."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.label_values import (
    INDICES,
    NAMES,
    LabelRules,
    Names,
    ReadClasses,
    equal_numbers,
    found_names,
    is_quantity,
    read_classes,
    similar_names,
    whole_number,
)

DIGITS = "0123456789"
NUMBERS = st.from_regex(r"-?[0-9]{1,4}(\.0{1,2})?", fullmatch=True).filter(str.isascii)
LABELS = st.one_of(
    NUMBERS,
    st.sampled_from(
        ["None", "nan", "NA", "True", "inf", "1_12", "11_2", "112", "1e1", "10", "٢", "²", "2.5", "-", "+1"]
    ),
    st.sampled_from(["cat", "Cat", "CAT", "c at", "0x1", "1.", ".0", "-0", "0", "--1"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=4),
).map(lambda text: unicodedata.normalize("NFC", text).strip())
LABEL_SETS = st.lists(LABELS.filter(bool), min_size=2, max_size=12)


def read(texts: Sequence[str], names: Sequence[str], *readings: str) -> ReadClasses:
    lookup = Names(names)
    lookups = {NAMES: lookup.code, INDICES: lookup.index}
    return read_classes(texts, {reading: lookups[reading] for reading in readings or (NAMES, INDICES)})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"), ("01", "1"), ("1.0", "1"), ("001.000", "1"), ("-01", "-1"), ("0", "0"), ("000", "0"), ("-0", "0"),
        ("9" * 5000, "9" * 5000), ("1_12", None), ("1e1", None), ("nan", None), ("inf", None), ("1.5", None),
        ("1.", None), (".0", None), ("+1", None), ("٢", None), ("²", None), ("0x1", None), ("", None), ("1\n", None),
        ("１", None), ("1,0", None), ("1 ", None), ("True", None),
    ],
)  # fmt: skip
def test_a_number_is_plain_digits(text: str, number: str | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1", "-1.5", ".5", "1.", "1e-05", "+2E3"])
def test_quantities_may_have_decimals_and_an_exponent(text: str) -> None:
    assert is_quantity(text)


@pytest.mark.parametrize("text", ["1_2", "nan", "inf", "infinity", "٣", "1,5", "", "e1", ".", "0x1", "1e"])
def test_texts_that_are_not_quantities(text: str) -> None:
    assert not is_quantity(text)


def test_equal_numbers_are_one_name_only_if_every_name_is_a_number() -> None:
    assert [Names(["01", "02"]).code(text) for text in ("1", "01", "2.0", "3")] == [0, 0, 1, None]
    assert [Names(["01", "b"]).code(text) for text in ("1", "01")] == [None, 0]
    assert [Names(["1", "01"]).code(text) for text in ("1", "01", "1.0")] == [0, 1, 0]  # as an old model has them


@pytest.mark.parametrize("text", ["-1", "3", "1.5", "9" * 5000, "1_0", "٠", "a", ""])
def test_texts_that_are_not_indices(text: str) -> None:
    assert Names(["a", "b", "c"]).index(text) is None


def test_names_may_differ_in_case_and_white_space_with_fold_case() -> None:
    folding = Names(["T-Shirt", "Not  sure"], fold_case=True)
    assert [folding.code(text) for text in ("t-shirt", "NOT SURE", "not sure", "T Shirt")] == [0, 1, 1, None]
    assert Names(["T-Shirt"]).code("t-shirt") is None


@pytest.mark.parametrize(
    ("texts", "names", "expected"),
    [
        (["cat", "dog"], ["cat", "dog"], ("names", False, [])),
        (["0", "1.0"], ["cat", "dog"], ("indices", False, [])),
        (["1", "2"], ["1", "2", "3"], ("names", True, [])),
        (["1", "2", "3"], ["1", "2", "3"], ("names", False, [])),  # 3 is no index
        (["0", "1", "2"], ["1", "2", "3"], ("indices", False, [])),  # 0 is no name
        (["0", "1"], ["0", "1", "2"], ("names", False, [])),  # both fit and agree
        (["1.0", "2.0"], ["01", "02", "03"], ("names", True, [])),
        (["cat", "1"], ["cat", "dog"], ("names", False, ["1"])),
        (["0", "1", "cat"], ["cat", "dog"], ("indices", False, ["cat"])),
        ([], ["cat", "dog"], ("names", False, [])),
    ],
)
def test_a_column_is_read_either_as_names_or_as_indices(
    texts: list[str], names: list[str], expected: tuple[str, bool, list[str]]
) -> None:
    result = read(texts, names)
    assert (result.reading, result.ambiguous, list(result.unknown)) == expected


@given(LABEL_SETS)
def test_labels_are_read_as_the_classes_that_were_collected_from_them(labels: list[str]) -> None:
    """By name and by index; a column that is valid as both is ambiguous exactly if the classes differ."""
    names = found_names(labels)
    lookup = Names(names)
    codes = {label: lookup.code(label) for label in labels}
    assert set(codes.values()) == set(range(len(names)))
    # Labels are kept as written, and only equal numbers among nothing but numbers are one
    all_numbers = all(whole_number(label) is not None for label in labels)
    assert len(names) == len({whole_number(label) if all_numbers else label for label in labels})
    assert set(names) <= set(labels)
    if all_numbers:
        assert [float(name) for name in names] == sorted(float(name) for name in names)
    by_name = read(labels, names, NAMES)
    indices = [str(code) for code in codes.values()]
    by_index = read(indices, names, INDICES)
    assert by_name.codes == codes and not by_name.unknown and not by_index.unknown
    assert [by_index.codes[index] for index in indices] == list(codes.values())
    guessed = read(indices, names)
    same = all(guessed.codes.get(index) == int(index) for index in indices)
    assert not guessed.unknown and (same or guessed.ambiguous)


def test_names_have_the_most_frequent_spelling_and_are_sorted() -> None:
    assert found_names(["10", "2", "02", "02", "-1", ""]) == ("-1", "02", "10")
    assert found_names(["1.0", "1", "01"]) == ("1",)
    assert found_names(["10", "2", "b"]) == ("10", "2", "b")
    assert found_names(["SAD", "sad", "sad", "Joy"]) == ("Joy", "SAD", "sad")
    assert found_names(["SAD", "sad", "sad", "Joy"], fold_case=True) == ("Joy", "sad")


def test_similar_labels_are_grouped() -> None:
    assert equal_numbers(["1", "01", "2"]) == [["01", "1"]] and equal_numbers(["1", "01", "b"]) == []
    assert similar_names(["SAD", "sad", "Not sure", "not  sure", "joy"]) == [["SAD", "sad"], ["Not sure", "not  sure"]]


def test_rules_drop_and_rename() -> None:
    rules = LabelRules(("Skip", ""), (("Polo", "Shirt"), ("Undershirt", "Shirt"), ("x", "Skip")))
    assert [rules.apply(label) for label in ("Polo", "Undershirt", "Shirt", "polo", "Skip", "", "x")] == [
        "Shirt", "Shirt", "Shirt", "polo", None, None, None,
    ]  # fmt: skip
    assert LabelRules(("-1",)).drops("-1.0") and not LabelRules(("-1", "a")).drops("-1.0")
    assert LabelRules.from_dict(rules.to_dict()) == rules and rules.names() == ["Skip", "Polo", "Undershirt", "x"]
    assert not LabelRules() and LabelRules().to_dict() == {}
