"""Combinations of the classes of attributes: their numbers in C order (the last attribute varies fastest), and tables
of those that occur.

Imports no torch, and numpy only when arrays are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_CLASS = -1  # class of a combination that is not in the table


def number_of(codes: Iterable[Any], sizes: Sequence[int]) -> Any:
    """The numbers of combinations.

    Args:
        codes: Classes of each attribute: ints, or integer arrays or tensors of the same shape.
        sizes: Number of classes of each attribute.
    """
    number: Any = 0
    for code, size in zip(codes, sizes, strict=True):
        number = number * size + code
    return number


def codes_of(number: Any, sizes: Sequence[int]) -> list[Any]:
    """The classes of each attribute: the inverse of number_of."""
    codes = []
    for size in reversed(sizes):
        codes.append(number % size)
        number = number // size
    return codes[::-1]


def number_of_name(name: str, values: Sequence[Sequence[str]], join: str) -> int | None:
    """The number of the combination with this name; None if no or more than one combination has it.

    Args:
        name: The values of the combination, joined.
        values: Names of the classes of each attribute, which may contain join.
        join: Text between two values.
    """
    # For each way to divide the name: its remaining text, and the number of the values before it
    ways = [(name + join, 0)]
    for own in values:
        ways = [
            (rest[len(value) + len(join) :], number * len(own) + code)
            for rest, number in ways
            for code, value in enumerate(own)
            if rest.startswith(value + join)
        ]
    numbers = [number for rest, number in ways if not rest]
    return numbers[0] if len(numbers) == 1 else None


def complete_rows(codes: Iterable[Any]) -> NDArray[np.bool_]:
    """Whether every attribute has a class (a code of at least 0), bool of the shape of the codes."""
    import numpy as np

    complete: NDArray[np.bool_] = np.all([np.asarray(code) >= 0 for code in codes], axis=0)
    return complete


@dataclass(frozen=True)
class Combinations:
    """A table of combinations. The class of a combination is its position in the table.

    Attributes:
        numbers: The number of each combination, without duplicates.
    """

    numbers: tuple[int, ...]

    def classes(self, numbers: Any, are_complete: Any) -> Any:
        """The classes of combinations; NO_CLASS for those that are not in the table.

        Args:
            numbers: An int, or an integer array or tensor.
            are_complete: Whether every attribute has a class, bool of the shape of numbers. Where False, the class is
                NO_CLASS.
        """
        if isinstance(numbers, int):
            return self._class_by_number.get(numbers, NO_CLASS) if are_complete else NO_CLASS
        import numpy as np

        wanted = np.where(are_complete, np.asarray(numbers), -1)
        order, ascending = self._sorted
        positions = np.searchsorted(ascending, wanted).clip(max=len(ascending) - 1)
        return _like(numbers, np.where(ascending[positions] == wanted, order[positions], NO_CLASS))

    def numbers_of(self, classes: Any) -> Any:
        """The numbers of the combinations of classes: an int, or an integer array or tensor."""
        if isinstance(classes, int):
            return self.numbers[classes]
        import numpy as np

        return _like(classes, np.array(self.numbers, np.int64)[np.asarray(classes)])

    @cached_property
    def _class_by_number(self) -> dict[int, int]:
        return {number: code for code, number in enumerate(self.numbers)}

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The classes by increasing number, and these numbers, int64 (C,) each."""
        import numpy as np

        numbers = np.array(self.numbers, np.int64)
        order = np.argsort(numbers)
        return order, numbers[order]


def _like(example: Any, values: NDArray[np.int64]) -> Any:
    """The values as a tensor if the example is one."""
    return example.new_tensor(values) if hasattr(example, "new_tensor") else values
