"""Numbers of combinations of classes, and tables of those that occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.combinations import NO_CLASS, Combinations, codes_of, number_of, number_of_name

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(SIZES, st.data())
def test_numbers_are_in_c_order(sizes: list[int], data: Any) -> None:
    codes = [data.draw(st.integers(0, size - 1)) for size in sizes]
    number = number_of(codes, sizes)
    assert number == np.ravel_multi_index(tuple(codes), tuple(sizes))
    assert codes_of(number, sizes) == codes


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=50, unique=True), st.lists(st.integers(0, 10**12)))
def test_a_combination_has_its_position_in_the_table(numbers: list[int], others: list[int]) -> None:
    table, asked = Combinations(tuple(numbers)), [*others, *numbers]
    expected = [numbers.index(number) if number in numbers else NO_CLASS for number in asked]
    assert [table.classes(number, True) for number in asked] == expected
    assert table.classes(np.array(asked), np.ones(len(asked), bool)).tolist() == expected
    assert table.classes(torch.tensor(asked), np.ones(len(asked), bool)).tolist() == expected
    classes = list(range(len(numbers)))
    assert [table.numbers_of(code) for code in classes] == table.numbers_of(np.array(classes)).tolist() == numbers
    result = table.numbers_of(torch.tensor(classes))
    assert isinstance(result, torch.Tensor) and result.tolist() == numbers


def test_an_incomplete_row_has_no_class_even_if_its_number_is_in_the_table() -> None:
    table = Combinations((4, 7))
    assert table.classes(np.array([4, 7, 4]), np.array([True, True, False])).tolist() == [0, 1, NO_CLASS]
    assert table.classes(4, False) == NO_CLASS


def test_a_name_is_divided_into_values_that_may_contain_the_separator() -> None:
    values = [["a", "a/b"], ["x", "b/x", "y"]]
    assert number_of_name("a/y", values, "/") == 2
    assert number_of_name("a/b/y", values, "/") == 5
    assert number_of_name("a/b/x", values, "/") is None  # a and b/x, or a/b and x
    for name in ("", "a", "a/", "a/z", "/x", "a/x/", "A/x"):
        assert number_of_name(name, values, "/") is None
