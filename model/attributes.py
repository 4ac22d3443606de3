"""Attributes of an image: named values (mask, gender) or a number in bands (age). Imports no torch."""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from model.errors import SHOWN_PER_KIND, InputError, did_you_mean, listing
from model.label_values import INDICES, NAMES, LabelRules, Names, ReadClasses, folded, is_quantity, read_classes

# Codes of rows without a class: MISSING if the attribute is optional, DROPPED if its rules drop the row, UNKNOWN if the
# label is invalid
MISSING, DROPPED, UNKNOWN = -1, -2, -3


def normal_text(value: object) -> str:
    """Text in normal form, for comparisons: Unicode NFC (macOS writes file names as NFD) without surrounding space."""
    return unicodedata.normalize("NFC", str(value)).strip()


class UnknownLabels(Mapping[str, str]):
    """A sentence for each unknown label, created when it is looked up.

    Only the first SHOWN_PER_KIND sentences, which is what a message lists, name the nearest value: finding it is slow.

    Args:
        labels: The unknown labels.
        sentence: Returns the sentence of a label, with or without the nearest value.
    """

    def __init__(self, labels: Iterable[str], sentence: Callable[[str, bool], str]) -> None:
        self._labels, self._sentence = dict.fromkeys(labels), sentence
        self._sentences: dict[str, str] = {}

    def __getitem__(self, label: str) -> str:
        if label not in self._labels:
            raise KeyError(label)
        if label not in self._sentences:
            self._sentences[label] = self._sentence(label, len(self._sentences) < SHOWN_PER_KIND)
        return self._sentences[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)


@dataclass(frozen=True)
class ReadLabels:
    """The classes of the distinct labels of a column.

    Attributes:
        codes: The class of each label; DROPPED if its rows are skipped. Unknown labels are not included.
        numbers: The number of each label that was assigned to a band.
        unknown: A sentence for each unknown label.
        reading: Whether the labels were read as `names` or as `indices`.
        ambiguous: Whether the labels are valid as names and as indices, with different classes.
    """

    codes: Mapping[str, int]
    numbers: Mapping[str, float]
    unknown: Mapping[str, str]
    reading: str
    ambiguous: bool


@dataclass(frozen=True)
class LabelPattern:
    """How to find a label in a longer text, such as the age in 00000A02.jpg.

    Attributes:
        expression: A regular expression whose first group is the label.
        column: The column of the texts; "" for the paths of the images.
    """

    expression: str
    column: str = ""

    def __post_init__(self) -> None:
        try:
            reason = "" if re.compile(self.expression).groups else "it has no group (parentheses) around the label"
        except (re.error, TypeError) as error:
            reason = str(error)
        if reason:
            raise InputError(
                f"pattern {self.expression!r}: {reason}; expected a regular expression such as 'A([0-9]+)'"
            )


@dataclass(frozen=True)
class Attribute:
    """A property of an image to learn, with classes 0 to len(values) - 1.

    Attributes:
        name: Name of the attribute.
        values: Names of the classes in order.
        cuts: For a number in bands, the lower bound of each band except the first, increasing: for (30, 60), class 0 is
            below 30, class 1 from 30 to below 60, class 2 from 60.
        column: Column of the table with its labels; default: its name.
        rules: Labels that are dropped, renamed or equal in any letter case.
        optional: Whether rows may have no label of this attribute.
        pattern: Finds the label in a longer text; `column` is then the one that model.data.label_pattern adds.
    """

    name: str
    values: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    column: str = ""
    rules: LabelRules = LabelRules()
    optional: bool = False
    pattern: LabelPattern | None = None

    def __post_init__(self) -> None:
        where = f"attribute {self.name!r}"
        if not self.name:
            raise InputError("an attribute needs a name")
        if len(set(self.values)) != len(self.values):
            duplicate = next(value for value in self.values if self.values.count(value) > 1)
            raise InputError(f"{where}: duplicate value {duplicate!r} in {listing(self.values)}")
        if not self.values or any(not value for value in self.values):
            raise InputError(f"{where}: {'a value has an empty name' if self.values else 'there are no values'}")
        if list(self.cuts) != sorted(set(self.cuts)) or not all(math.isfinite(cut) for cut in self.cuts):
            raise InputError(f"{where}: cuts must be increasing numbers, not {list(self.cuts)}")
        if self.cuts and len(self.values) != len(self.cuts) + 1:
            raise InputError(
                f"{where}: {len(self.cuts)} cuts make {len(self.cuts) + 1} bands, but there are {len(self.values)} "
                f"names: {listing(self.values)}"
            )
        if not self.column:
            object.__setattr__(self, "column", self.name)

    def band(self, number: float) -> int:
        """The class of a number. Raises ValueError if the attribute has no bands or the number is not finite."""
        if not self.cuts or not math.isfinite(number):
            raise ValueError(f"attribute {self.name!r} has no band for {number}")
        return bisect_right(self.cuts, number)

    @cached_property
    def lookup(self) -> Names:
        """The names of the classes."""
        return Names(self.values, self.rules.fold_case)

    def read(self, labels: Iterable[str], readings: Sequence[str] = (NAMES,), bands: bool = True) -> ReadLabels:
        """Reads a column of labels, all of them in the same way.

        Args:
            labels: Texts in normal form.
            readings: What the column may contain: NAMES, INDICES or both. With both, the first that is valid for every
                label is used.
            bands: Whether the labels of an attribute with cuts may be numbers.
        """
        if bands and self.cuts:
            read, numbers = self._read_bands(list(dict.fromkeys(labels)))
        else:
            lookups = {NAMES: self._code, INDICES: self._index}
            read, numbers = read_classes(labels, {reading: lookups[reading] for reading in readings}), {}
        unknown = UnknownLabels(read.unknown, lambda label, near: self.expected(label, readings, bands, near))
        return ReadLabels(read.codes, numbers, unknown, read.reading, read.ambiguous)

    def _code(self, label: str) -> int | None:
        """The class of a name, after applying the rules."""
        name = self.rules.apply(label)
        return DROPPED if name is None else self.lookup.code(name)

    def _index(self, label: str) -> int | None:
        """The class of an index. Labels that the rules drop may occur among indices."""
        index = self.lookup.index(label)
        return DROPPED if index is None and self.rules.drops(label) else index

    def _read_bands(self, labels: Sequence[str]) -> tuple[ReadClasses, dict[str, float]]:
        """Assigns numbers to bands; a label may also be the name of a band.

        If names of bands look like numbers, they are read as names only if every label is a name.
        """
        read = read_classes(labels, {NAMES: self._code})
        codes, numbers = dict(read.codes), {}
        if read.unknown and any(is_quantity(name) for name in self.values):
            codes = {label: code for label, code in codes.items() if code == DROPPED or not is_quantity(label)}
        for label in labels:
            text = self.rules.apply(label) if label not in codes else None
            if text is not None and is_quantity(text) and math.isfinite(float(text)):
                numbers[label] = float(text)
                codes[label] = self.band(numbers[label])
        return ReadClasses(codes, [label for label in labels if label not in codes], NAMES), numbers

    def expected(self, label: str, readings: Sequence[str], bands: bool = True, near: bool = True) -> str:
        """The message for an unknown label.

        Args:
            label: The label.
            readings: As in read.
            bands: As in read.
            near: Whether to name the nearest value.
        """
        values = self._values_text
        if bands and self.cuts:
            return f"{self.name} = {label!r}, expected a number or one of {values}"
        indices = f" or 0 to {len(self.values) - 1}" if INDICES in readings else ""
        if NAMES not in readings:
            return f"{self.name} = {label!r}, expected an index from 0 to {len(self.values) - 1} ({values})"
        mixed = len(readings) > 1 and (self._code(label) is not None or self._index(label) is not None)
        advice = "; a column must contain either names or indices" if mixed else ""
        if near:
            advice = advice or did_you_mean(label, self.values)
            if any(folded(value) == folded(label) for value in self.values):
                advice += " (`fold_case: true` in `attributes` treats them as equal)"
        return f"{self.name} = {label!r}, expected {values}{indices}{advice}"

    @cached_property
    def _values_text(self) -> str:
        return listing(self.values)


def band_names(cuts: Sequence[float]) -> tuple[str, ...]:
    """`under 30`, `30 to 59`, `60 and over` for cuts between whole numbers; `30 to below 60.5` otherwise."""

    def text(cut: float) -> str:
        return f"{cut:g}"

    names = [f"under {text(cuts[0])}"]
    for low, high in pairwise(cuts):
        whole = float(high).is_integer() and float(low).is_integer()
        names.append(f"{text(low)} to {text(high - 1)}" if whole else f"{text(low)} to below {text(high)}")
    return (*names, f"{text(cuts[-1])} and over")


def banded(name: str, cuts: Sequence[float], names: Sequence[str] = (), column: str = "") -> Attribute:
    """An attribute that is a number in bands. names: names of the bands; default: named after the cuts."""
    if not cuts:
        raise InputError(f"attribute {name!r}: cuts must have at least one number")
    cuts = tuple(float(cut) for cut in cuts)
    return Attribute(name, tuple(names) or band_names(cuts), cuts, column)


def pattern_column(name: str) -> str:
    """The name of the column that is added to a channel for an attribute with a pattern."""
    return f"{name} by pattern"


def number_column(name: str) -> str:
    """The name of the column with the number of an attribute, such as age_number."""
    return f"{name}_number"
