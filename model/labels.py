"""Label schemes: attributes with named values (mask, gender, age in bands) and the joint class that combines them.

A scheme is saved with every model (labels.json) and written beside every output. Imports no torch.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from model.combinations import Combinations, codes_of, complete_rows, number_of, number_of_name
from model.errors import InputError, did_you_mean, listing
from model.label_values import INDICES, NAMES, LabelRules, Names, ReadClasses, folded, is_quantity, read_classes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

JOINT, HEADS = "joint", "heads"  # targets that learn all attributes; others are the name of one attribute
JOIN = "/"  # between the attributes' values in the name of a joint class
# Classes of rows without one: MISSING where the attribute is optional, DROPPED where its rules leave the row out,
# UNKNOWN where the label is an error
MISSING, DROPPED, UNKNOWN = -1, -2, -3
MAX_COMBINATIONS = 1_000  # up to which every combination of the attributes' values is a joint class


def normal_text(value: object) -> str:
    """Text in the form in which it is compared: Unicode NFC without surrounding white space (macOS writes file names
    as NFD)."""
    return unicodedata.normalize("NFC", str(value)).strip()


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
            raise InputError(f"{where}: the value {duplicate!r} stands twice in {listing(self.values)}")
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
        unknown = {label: self.expected(label, readings, bands) for label in read.unknown}
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

    def expected(self, label: str, readings: Sequence[str], bands: bool = True) -> str:
        """What is wrong with a label that is not known. The arguments are those of read."""
        values = listing(self.values)
        if bands and self.cuts:
            return f"{self.name} = {label!r}, expected a number or one of {values}"
        indices = f" or 0 to {len(self.values) - 1}" if INDICES in readings else ""
        if NAMES not in readings:
            return f"{self.name} = {label!r}, expected 0 to {len(self.values) - 1}, the indices of {values}"
        mixed = len(readings) > 1 and (self._code(label) is not None or self._index(label) is not None)
        near = "; a column holds either names or indices" if mixed else did_you_mean(label, self.values)
        if any(folded(value) == folded(label) for value in self.values):
            near += " (`fold_case: true` under the attribute makes them one)"
        return f"{self.name} = {label!r}, expected {values}{indices}{near}"


@dataclass(frozen=True)
class Scheme:
    """Attributes in order, and the joint class of their combinations.

    All combinations of the attributes' values are numbered with the last attribute varying fastest (C order):
    mask*6 + gender*3 + age for the mask scheme. With one attribute, that is the attribute's class. These numbers are
    the joint classes, unless `combinations` lists the combinations that are.

    Attributes:
        attributes: The attributes.
        combinations: Numbers of the combinations that are joint classes, in the order of the classes; None if all are.
            A channel whose scheme `is_large` has those that occur in it.
    """

    attributes: tuple[Attribute, ...]
    combinations: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        names = self.names
        if not names:
            raise InputError("a label scheme needs at least one attribute")
        if len(set(names)) != len(names):
            raise InputError(f"attribute names must differ: {listing(names)}")
        if self.num_combinations > 2**62:
            raise InputError(f"{listing(names)} have too many values: their combinations cannot be numbered")
        if self.combinations is not None:
            listed = self.combinations
            if not listed or len(set(listed)) != len(listed) or min(listed) < 0 or max(listed) >= self.num_combinations:
                raise InputError(f"combinations must be different numbers from 0 to {self.num_combinations - 1}")
        elif self.is_large:
            return  # the names are compared once it is known which combinations occur
        if len(set(self.class_names)) != self.num_classes:
            raise InputError(f"two joint classes have one name: {listing(self.class_names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(attribute.name for attribute in self.attributes)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each attribute."""
        return tuple(len(attribute.values) for attribute in self.attributes)

    @property
    def num_combinations(self) -> int:
        """Number of all combinations of the attributes' values, whether they occur or not."""
        return math.prod(self.sizes)

    @property
    def is_large(self) -> bool:
        """Whether several attributes have more than MAX_COMBINATIONS combinations, as a hierarchy has. Then the joint
        classes of a channel are the combinations that occur, and the score is the mean of the attributes' scores."""
        return len(self.attributes) > 1 and self.num_combinations > MAX_COMBINATIONS

    @property
    def num_classes(self) -> int:
        """Number of joint classes."""
        return self.num_combinations if self.combinations is None else len(self.combinations)

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the joint classes in their order, `worn/male/under 30`."""
        if self.combinations is not None:
            codes = (codes_of(number, self.sizes) for number in self.combinations)
            return [JOIN.join(one.values[code] for one, code in zip(self.attributes, own)) for own in codes]
        names = [""]
        for attribute in self.attributes:
            names = [f"{name}{JOIN}{value}" if name else value for name in names for value in attribute.values]
        return names

    def combination_number(self, name: str) -> int | None:
        """The number of the combination of this name, whether it is a joint class or not; None if there is none."""
        return number_of_name(normal_text(name), [attribute.values for attribute in self.attributes], JOIN)

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name. InputError names the nearest one."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        known = listing(self.names)
        raise InputError(f"{name!r} is not an attribute; there are {known}{did_you_mean(name, self.names)}")

    def only(self, name: str) -> Scheme:
        """The scheme of one attribute alone."""
        return Scheme((self.attribute(name),))

    def joint(self, codes: Mapping[str, Any]) -> Any:
        """Combines each attribute's classes (ints, or integer arrays or tensors of one shape) into joint classes. If
        only some combinations are joint classes, NO_CLASS for the others and where a class is negative."""
        own = [codes[name] for name in self.names]
        number = number_of(own, self.sizes)
        if self.combinations is None:
            return number
        is_complete = min(own) >= 0 if isinstance(number, int) else complete_rows(own)
        return self._table.classes(number, is_complete)

    def split(self, joint: Any) -> dict[str, Any]:
        """Splits joint classes (an int, or an integer array or tensor) into each attribute's classes."""
        number = joint if self.combinations is None else self._table.numbers_of(joint)
        return dict(zip(self.names, codes_of(number, self.sizes)))

    def occurring(self, *tables: Mapping[str, NDArray[np.int64]]) -> Scheme:
        """The scheme of a channel: if it is_large, the joint classes are the combinations of these rows, in C order.

        Args:
            tables: For each table, each attribute's classes, int64 (n,); a row with a negative class is left out.
        """
        if not self.is_large:
            return self
        numbers: set[int] = set()
        for codes in tables:
            own = [codes[name] for name in self.names]
            numbers.update(number_of(own, self.sizes)[complete_rows(own)].tolist())
        return replace(self, combinations=tuple(sorted(numbers)) or None)

    def extended(self, numbers: Iterable[int]) -> Scheme:
        """The scheme with these combinations as further classes behind its own, which keep their numbers."""
        if self.combinations is None:
            return self
        return replace(self, combinations=tuple(dict.fromkeys([*self.combinations, *numbers])))

    @cached_property
    def _table(self) -> Combinations:
        return Combinations(self.combinations or ())

    def read(self, labels: Iterable[str], readings: Sequence[str]) -> ReadLabels:
        """Reads joint classes, as Attribute.read does an attribute's. Numbers are not cut into bands."""
        return self._joint_attribute.read(labels, readings, bands=False)

    @cached_property
    def _joint_attribute(self) -> Attribute:
        return Attribute("class", tuple(self.class_names), rules=self.rules)

    @property
    def rules(self) -> LabelRules:
        """The rules by which joint classes are read: those of the only attribute; of several there are none."""
        return self.attributes[0].rules if len(self.attributes) == 1 else LabelRules()

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json. from_dict reads `attributes` and, where only some combinations are joint classes,
        `combinations`: their values of `joint`. `joint` and `classes` are for people."""
        return {
            "attributes": [
                {"name": a.name, "values": list(a.values), "cuts": list(a.cuts), "column": a.column}
                | a.rules.to_dict()
                | ({"optional": True} if a.optional else {})
                | ({"pattern": asdict(a.pattern)} if a.pattern else {})
                for a in self.attributes
            ],
            "joint": " + ".join(
                f"{name}*{stride}" if stride > 1 else name for name, stride in zip(self.names, self._strides())
            ),
            "classes": self.class_names,
            **({} if self.combinations is None else {"combinations": list(self.combinations)}),
        }

    def _strides(self) -> list[int]:
        """What each attribute's class is multiplied by in the joint class."""
        return [math.prod(self.sizes[i + 1 :]) for i in range(len(self.sizes))]

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Scheme:
        """The inverse of to_dict. InputError if the content is not a scheme."""
        try:
            attributes = tuple(
                Attribute(
                    a["name"],
                    tuple(a["values"]),
                    tuple(a.get("cuts", ())),
                    a.get("column", ""),
                    LabelRules.from_dict(a),
                    bool(a.get("optional", False)),
                    LabelPattern(**a["pattern"]) if "pattern" in a else None,
                )
                for a in saved["attributes"]
            )
            combinations = saved.get("combinations")
            return cls(attributes, None if combinations is None else tuple(int(number) for number in combinations))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not a label scheme: {type(error).__name__}: {error}") from None


def target_scheme(scheme: Scheme, target: str) -> Scheme:
    """The part of a channel's scheme that a target learns: all of it for joint and heads, else one attribute."""
    return scheme if target in (JOINT, HEADS) else scheme.only(target)


def band_names(cuts: Sequence[float]) -> tuple[str, ...]:
    """`under 30`, `30 to 59`, `60 and over` for cuts between whole numbers; `30 to below 60.5` otherwise."""

    def text(cut: float) -> str:
        return f"{cut:g}"

    names = [f"under {text(cuts[0])}"]
    for low, high in pairwise(cuts):
        whole = float(high).is_integer() and float(low).is_integer()
        names.append(f"{text(low)} to {text(high - 1)}" if whole else f"{text(low)} to below {text(high)}")
    return (*names, f"{text(cuts[-1])} and over")


def mask_scheme(age_cuts: Sequence[float] = (30, 60)) -> Scheme:
    """The mask competition's 18 classes: mask*6 + gender*3 + age; age in years, banded at age_cuts."""
    return Scheme(
        (
            Attribute("mask", ("worn", "incorrect", "none")),
            Attribute("gender", ("male", "female")),
            banded("age", age_cuts),
        )
    )


def banded(name: str, cuts: Sequence[float], names: Sequence[str] = (), column: str = "") -> Attribute:
    """An attribute that is a number in bands; without `names`, the bands are named after the cuts."""
    if not cuts:
        raise InputError(f"attribute {name!r}: at least one cut is needed to make bands")
    cuts = tuple(float(cut) for cut in cuts)
    return Attribute(name, tuple(names) or band_names(cuts), cuts, column)


def pattern_column(name: str) -> str:
    """The column that is added to the rows of a channel for an attribute with a pattern."""
    return f"{name} by pattern"
