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

# Classes of rows without one: MISSING where the attribute is optional, DROPPED where its rules leave the row out,
# UNKNOWN where the label is an error
MISSING, DROPPED, UNKNOWN = -1, -2, -3


def normal_text(value: object) -> str:
    """Text in the form in which it is compared: Unicode NFC without surrounding white space (macOS writes file names
    as NFD)."""
    return unicodedata.normalize("NFC", str(value)).strip()


class UnknownLabels(Mapping[str, str]):
    """A sentence for each label that is not known, made when it is looked up.

    The nearest value, which takes long to find, is named in as many sentences as a message lists: the first ones.

    Args:
        labels: The labels.
        sentence: Makes the sentence of a label, with the nearest value or without.
    """

    def __init__(self, labels: Iterable[str], sentence: Callable[[str, bool], str]) -> None:
        self._labels, self._sentence = dict.fromkeys(labels), sentence
        self._made: dict[str, str] = {}

    def __getitem__(self, label: str) -> str:
        if label not in self._labels:
            raise KeyError(label)
        if label not in self._made:
            self._made[label] = self._sentence(label, len(self._made) < SHOWN_PER_KIND)
        return self._made[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels)

    def __len__(self) -> int:
        return len(self._labels)


@dataclass(frozen=True)
class ReadLabels:
    """The distinct labels of a column, read as a whole.

    Attributes:
        codes: The class of each label, DROPPED for one whose rows are left out. An unknown label is not in it.
        numbers: The number behind the class, by label, where it was cut into bands.
        unknown: A sentence for each label that is not known.
        reading: names or indices.
        ambiguous: Whether the labels may be read as names and as indices, and the classes differ.
    """

    codes: Mapping[str, int]
    numbers: Mapping[str, float]
    unknown: Mapping[str, str]
    reading: str
    ambiguous: bool


@dataclass(frozen=True)
class LabelPattern:
    """Where a label is a part of a longer text, as the age is in 00000A02.jpg.

    Attributes:
        expression: A regular expression whose first group is the label.
        column: The column of the texts; "" for the paths of the images.
    """

    expression: str
    column: str = ""

    def __post_init__(self) -> None:
        try:
            reason = "" if re.compile(self.expression).groups else "it has no group in parentheses around the label"
        except (re.error, TypeError) as error:
            reason = str(error)
        if reason:
            raise InputError(
                f"pattern {self.expression!r}: {reason}; expected a regular expression such as 'A([0-9]+)'"
            )


@dataclass(frozen=True)
class Attribute:
    """One property of an image that is learnt, with classes 0 to len(values) - 1.

    Attributes:
        name: Its name.
        values: Names of the classes, in the order of the classes.
        cuts: For a number in bands, the lower bound of each band but the lowest, increasing: (30, 60) makes class 0
            below 30, class 1 from 30 to below 60, class 2 from 60.
        column: The column of a table that holds it; by default its name.
        rules: Labels that are left out, renamed or equal in any letter case.
        optional: Whether rows may have no label of it.
        pattern: If the labels are parts of a text; `column` is then the one that model.data.label_pattern adds.
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
            raise InputError(f"{where}: the value {duplicate!r} is a duplicate in {listing(self.values)}")
        if not self.values or any(not value for value in self.values):
            raise InputError(f"{where}: {'a value has an empty name' if self.values else 'there are no values'}")
        if list(self.cuts) != sorted(set(self.cuts)) or not all(math.isfinite(cut) for cut in self.cuts):
            raise InputError(f"{where}: cuts {list(self.cuts)} must rise")
        if self.cuts and len(self.values) != len(self.cuts) + 1:
            raise InputError(
                f"{where}: {len(self.cuts)} cuts make {len(self.cuts) + 1} bands, not the {len(self.values)} values "
                f"{listing(self.values)}"
            )
        if not self.column:
            object.__setattr__(self, "column", self.name)

    def band(self, number: float) -> int:
        """The class of a number. ValueError if the attribute has no bands or the number is not finite."""
        if not self.cuts or not math.isfinite(number):
            raise ValueError(f"{number} has no band of {self.name}")
        return bisect_right(self.cuts, number)

    @cached_property
    def lookup(self) -> Names:
        """The names of the classes."""
        return Names(self.values, self.rules.fold_case)

    def read(self, labels: Iterable[str], readings: Sequence[str] = (NAMES,), bands: bool = True) -> ReadLabels:
        """Reads a column of labels, all of them in the same way.

        Args:
            labels: Texts in normal form. Equal ones are read once.
            readings: What the column may hold: names of classes, indices, or the first of them that fits every label.
            bands: Whether the labels of an attribute with cuts may be numbers to be cut.
        """
        if bands and self.cuts:
            read, numbers = self._read_bands(list(dict.fromkeys(labels)))
        else:
            lookups = {NAMES: self._code, INDICES: self._index}
            read, numbers = read_classes(labels, {reading: lookups[reading] for reading in readings}), {}
        unknown = UnknownLabels(read.unknown, lambda label, near: self.expected(label, readings, bands, near))
        return ReadLabels(read.codes, numbers, unknown, read.reading, read.ambiguous)

    def _code(self, label: str) -> int | None:
        """The class of a name after the rules."""
        name = self.rules.apply(label)
        return DROPPED if name is None else self.lookup.code(name)

    def _index(self, label: str) -> int | None:
        """The class of an index. A label whose rows are left out may be among indices."""
        index = self.lookup.index(label)
        return DROPPED if index is None and self.rules.drops(label) else index

    def _read_bands(self, labels: Sequence[str]) -> tuple[ReadClasses, dict[str, float]]:
        """Reads numbers that are cut into bands, among which there may be names of bands.

        Names that are numbers are names only where every label is a name.
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
        """What is wrong with a label that is not known. near: Whether to name the nearest value; the other arguments
        are those of read."""
        values = self._values_text
        if bands and self.cuts:
            return f"{self.name} = {label!r}, expected a number or one of {values}"
        indices = f" or 0 to {len(self.values) - 1}" if INDICES in readings else ""
        if NAMES not in readings:
            return f"{self.name} = {label!r}, expected 0 to {len(self.values) - 1}, the indices of {values}"
        mixed = len(readings) > 1 and (self._code(label) is not None or self._index(label) is not None)
        advice = "; a column holds either names or indices" if mixed else ""
        if near:
            advice = advice or did_you_mean(label, self.values)
            if any(folded(value) == folded(label) for value in self.values):
                advice += " (`fold_case: true` under the attribute makes them one)"
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
    """An attribute that is a number in bands; without `names`, the bands are named after the cuts."""
    if not cuts:
        raise InputError(f"attribute {name!r}: at least one cut is needed to make bands")
    cuts = tuple(float(cut) for cut in cuts)
    return Attribute(name, tuple(names) or band_names(cuts), cuts, column)


def pattern_column(name: str) -> str:
    """The column that is added to the rows of a channel for an attribute with a pattern."""
    return f"{name} by pattern"
