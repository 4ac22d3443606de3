"""Reads texts as classes: which texts are numbers, which names are equal, and whether a column contains names of
classes or their indices.

All channels, ground truth, predictions and settings with classes are read by read_classes. Imports no numpy.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

NAMES, INDICES = "names", "indices"  # possible contents of a column of classes

_NUMBER = re.compile(r"(-?)0*([0-9]+)(?:\.0+)?", re.ASCII)
_QUANTITY = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)


def whole_number(text: str) -> str | None:
    """The shortest spelling of a whole number, `1` for 1, 01 and 1.0; None for other texts.

    A whole number is `-?[0-9]+(\\.0+)?` in ASCII digits. `1_12`, `1e1`, `nan` and digits of other scripts, which
    float() would accept, are names.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    return digits if digits == "0" else sign + digits


def is_quantity(text: str) -> bool:
    """Whether text is a number that can be assigned to a band: decimal or scientific, in ASCII digits."""
    return _QUANTITY.fullmatch(text) is not None


def folded(text: str) -> str:
    """Text without differences of letter case and white space."""
    return " ".join(text.casefold().split())


class Names:
    """Finds the class of a text by the names of the classes.

    Args:
        names: The names, in the order of the classes.
        fold_case: Whether names that differ only in letter case or white space are equal.

    Attributes:
        are_numbers: Whether every name is a whole number. Then equal numbers (1, 01, 1.0) are the same name.
    """

    def __init__(self, names: Iterable[str], fold_case: bool = False) -> None:
        self.names = list(names)
        self.are_numbers = bool(self.names) and all(whole_number(name) is not None for name in self.names)
        self.fold_case = fold_case
        self._exact = {name: code for code, name in reversed(list(enumerate(self.names)))}
        self._equal = {self._key(name): code for code, name in reversed(list(enumerate(self.names)))}

    def _key(self, text: str) -> str:
        """A key that is the same for equal names."""
        if self.are_numbers:
            return whole_number(text) or text
        return folded(text) if self.fold_case else text

    def code(self, text: str) -> int | None:
        """The class of a name; None if there is no such name."""
        return self._exact.get(text, self.equal_code(text))

    def equal_code(self, text: str) -> int | None:
        """The first class whose name is equal to the text; None if there is no such class."""
        return self._equal.get(self._key(text))

    def index(self, text: str) -> int | None:
        """The class of an index, 0 to N - 1 as text; None if the text is not a valid index."""
        number = whole_number(text)
        # Skip numbers with more digits than any index: int() raises an error for very long ones
        if number is None or number.startswith("-") or len(number) > len(str(len(self.names))):
            return None
        return int(number) if int(number) < len(self.names) else None


@dataclass(frozen=True)
class ReadClasses:
    """The classes of the distinct texts of a column.

    Attributes:
        codes: The class of each known text.
        unknown: The other texts.
        reading: Whether the texts were read as `names` or as `indices`.
        ambiguous: Whether the texts are valid as names and as indices, with different classes.
    """

    codes: Mapping[str, int]
    unknown: Sequence[str]
    reading: str
    ambiguous: bool = False


def read_classes(texts: Iterable[str], lookups: Mapping[str, Callable[[str], int | None]]) -> ReadClasses:
    """Reads the distinct texts of a column, either all as names or all as indices.

    Args:
        texts: Texts in normal form.
        lookups: By possible reading, a function that returns the class of a text, or None if it is unknown. The first
            reading with the fewest unknown texts is used.
    """
    distinct = list(dict.fromkeys(texts))
    read: list[ReadClasses] = []
    for reading, lookup in lookups.items():
        codes = {text: lookup(text) for text in distinct}
        known = {text: code for text, code in codes.items() if code is not None}
        read.append(ReadClasses(known, [text for text in distinct if text not in known], reading))
    best = min(read, key=lambda one: len(one.unknown))
    differ = any(not other.unknown and other.codes != best.codes for other in read)
    return ReadClasses(best.codes, best.unknown, best.reading, ambiguous=not best.unknown and differ)


def found_names(labels: Iterable[str], fold_case: bool = False) -> tuple[str, ...]:
    """The names of the classes in a column of labels: its distinct values, sorted as numbers if all are, otherwise as
    text.

    Of equal names the most frequent spelling is used; if equally frequent, the shortest, then the first.

    Args:
        labels: Texts in normal form; empty texts are ignored.
        fold_case: Whether names that differ only in letter case or white space are equal.
    """
    counts = Counter(label for label in labels if label)
    lookup = Names(counts, fold_case)
    spellings: dict[int | None, list[str]] = defaultdict(list)
    for label in counts:
        spellings[lookup.equal_code(label)].append(label)
    names = [min(equal, key=lambda name: (-counts[name], len(name))) for equal in spellings.values()]
    if lookup.are_numbers:
        return tuple(sorted(names, key=lambda name: Decimal(whole_number(name) or 0)))
    return tuple(sorted(names))


def equal_numbers(labels: Iterable[str]) -> list[list[str]]:
    """The spellings of each number with more than one spelling, if all labels are numbers; otherwise empty."""
    distinct = list(dict.fromkeys(labels))
    return _groups_by(whole_number, distinct) if Names(distinct).are_numbers else []


def similar_names(labels: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in letter case or white space."""
    return _groups_by(folded, dict.fromkeys(labels))


def _groups_by(key: Callable[[str], str | None], labels: Iterable[str]) -> list[list[str]]:
    """Groups of at least two labels with the same key."""
    groups: dict[str | None, list[str]] = defaultdict(list)
    for label in labels:
        groups[key(label)].append(label)
    return [sorted(group) for group in groups.values() if len(group) > 1]


@dataclass(frozen=True)
class LabelRules:
    """How the labels of an attribute are changed before they are looked up.

    Attributes:
        drop: Labels whose rows are skipped; "" for rows without a label.
        merge: Old and new name of each renamed label.
        fold_case: Whether names that differ only in letter case or white space are equal.
    """

    drop: tuple[str, ...] = ()
    merge: tuple[tuple[str, str], ...] = ()
    fold_case: bool = False

    def __bool__(self) -> bool:
        return bool(self.drop or self.merge or self.fold_case)

    @cached_property
    def _dropped(self) -> Names:
        return Names([label for label in self.drop if label], self.fold_case)

    @cached_property
    def _renamed(self) -> Names:
        return Names([old for old, _ in self.merge], self.fold_case)

    def drops(self, label: str) -> bool:
        """Whether rows with this label are skipped."""
        return "" in self.drop if not label else self._dropped.code(label) is not None

    def apply(self, label: str) -> str | None:
        """The name of a label after applying the rules; None if its rows are skipped."""
        if self.drops(label):
            return None
        code = self._renamed.code(label)
        name = label if code is None else self.merge[code][1]
        return None if self.drops(name) else name

    def names(self) -> list[str]:
        """The labels in the rules, except the empty one."""
        return [label for label in (*self.drop, *(old for old, _ in self.merge)) if label]

    def to_dict(self) -> dict[str, Any]:
        """The rules that are set, in the form of the setting `attributes`."""
        merge: dict[str, list[str]] = {}
        for old, new in self.merge:
            merge.setdefault(new, []).append(old)
        rules = {"drop": list(self.drop), "merge": merge, "fold_case": self.fold_case}
        return {name: rule for name, rule in rules.items() if rule}

    @classmethod
    def from_dict(cls, rules: Mapping[str, Any]) -> LabelRules:
        """The inverse of to_dict; other keys are ignored."""
        merge = tuple((old, new) for new, olds in rules.get("merge", {}).items() for old in olds)
        return cls(tuple(rules.get("drop", ())), merge, bool(rules.get("fold_case", False)))
