"""Labels are a scheme, not integers: attributes with named values, joined into one class and taken apart again.

The scheme is saved with every model (labels.json) and travels into every output. Imports no torch.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from model.errors import InputError, did_you_mean, listing

JOINT = "joint"
HEADS = "heads"


def target_scheme(scheme: Scheme, target: str) -> Scheme:
    """The part of the channel's scheme that a target learns: all of it for joint and heads, else one attribute."""
    return scheme if target in (JOINT, HEADS) else scheme.only(target)


JOIN = "/"  # between the attributes' values in the name of a joint class


def normal_text(value: object) -> str:
    """Text as it is compared: Unicode NFC, no white space around it (macOS writes file names as NFD)."""
    return unicodedata.normalize("NFC", str(value)).strip()


@dataclass(frozen=True)
class Attribute:
    """One thing that is told about a picture. Its classes are 0 ... len(values) - 1.

    cuts: for a banded number, the first number of each band but the lowest, rising:
    (30, 60) makes class 0 below 30, class 1 from 30 and below 60, class 2 from 60.
    column: the column of a table that holds it.
    """

    name: str
    values: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    column: str = ""

    def __post_init__(self) -> None:
        where = f"attribute {self.name!r}"
        if not self.name:
            raise InputError("an attribute needs a name")
        if len(set(self.values)) != len(self.values):
            twice = next(v for v in self.values if self.values.count(v) > 1)
            raise InputError(f"{where}: the value {twice!r} stands twice in {listing(self.values)}")
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
        """The class of a number. ValueError where the attribute is not banded or the number is not finite."""
        if not self.cuts or not math.isfinite(number):
            raise ValueError(f"{number} has no band of {self.name}")
        return bisect_right(self.cuts, number)

    def parse(self, value: object) -> tuple[int, float | None]:
        """A cell of a table as (class, number): a value's name; for a banded attribute a number, which comes back
        beside its class; else a class as integer text. Names win. ValueError says what was expected."""
        text = normal_text(value)
        if text in self.values:
            return self.values.index(text), None
        if self.cuts:
            try:
                number = float(text)
                return self.band(number), number
            except ValueError:
                expected = f"a number or one of {listing(self.values)}"
                raise ValueError(f"{self.name} = {text!r}, expected {expected}") from None
        try:
            code = int(float(text)) if float(text).is_integer() else -1
        except (ValueError, OverflowError):
            code = -1
        if 0 <= code < len(self.values):
            return code, None
        expected = f"{listing(self.values)} or 0 to {len(self.values) - 1}"
        raise ValueError(f"{self.name} = {text!r}, expected {expected}{did_you_mean(text, self.values)}")


@dataclass(frozen=True)
class Scheme:
    """Attributes in order. The joint class counts the last attribute fastest: for the mask scheme
    mask*6 + gender*3 + age. With one attribute the joint class is that attribute's own."""

    attributes: tuple[Attribute, ...]

    def __post_init__(self) -> None:
        names = self.names
        if not names:
            raise InputError("a label scheme needs at least one attribute")
        if len(set(names)) != len(names):
            raise InputError(f"attribute names must differ: {listing(names)}")
        if len(set(self.class_names)) != self.num_classes:
            raise InputError(f"two joint classes have one name: {listing(self.class_names)}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def num_classes(self) -> int:
        return math.prod(len(attribute.values) for attribute in self.attributes)

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the joint classes in their order, `worn/male/under 30`."""
        joined = [""]
        for attribute in self.attributes:
            joined = [f"{left}{JOIN}{value}" if left else value for left in joined for value in attribute.values]
        return joined

    def attribute(self, name: str) -> Attribute:
        """InputError names the nearest attribute."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        known = listing(self.names)
        raise InputError(f"{name!r} is not an attribute; there are {known}{did_you_mean(name, self.names)}")

    def only(self, name: str) -> Scheme:
        """The scheme of one attribute alone."""
        return Scheme((self.attribute(name),))

    def joint(self, codes: Mapping[str, Any]) -> Any:
        """Joint classes from each attribute's classes: ints, or integer arrays or tensors of one shape."""
        joint: Any = 0
        for attribute in self.attributes:
            joint = joint * len(attribute.values) + codes[attribute.name]
        return joint

    def split(self, joint: Any) -> dict[str, Any]:
        """Each attribute's classes from joint classes: an int, or an integer array or tensor."""
        codes: dict[str, Any] = {}
        for attribute in reversed(self.attributes):
            codes[attribute.name] = joint % len(attribute.values)
            joint = joint // len(attribute.values)
        return {name: codes[name] for name in self.names}

    def class_of(self, value: object) -> int:
        """The joint class that a cell of an answers or truth table names: its name or integer text.
        ValueError says what was expected."""
        return self._joint_attribute.parse(value)[0]

    @cached_property
    def _joint_attribute(self) -> Attribute:
        return Attribute("class", tuple(self.class_names))

    def to_dict(self) -> dict[str, Any]:
        """What labels.json holds. `classes` and `joint` are for readers of the file; from_dict needs `attributes`."""
        return {
            "attributes": [
                {"name": a.name, "values": list(a.values), "cuts": list(a.cuts), "column": a.column}
                for a in self.attributes
            ],
            "joint": " + ".join(
                f"{name}*{stride}" if stride > 1 else name for name, stride in zip(self.names, self._strides())
            ),
            "classes": self.class_names,
        }

    def _strides(self) -> list[int]:
        sizes = [len(attribute.values) for attribute in self.attributes]
        return [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Scheme:
        """The inverse of to_dict. InputError where the content is not a scheme."""
        try:
            return cls(
                tuple(
                    Attribute(a["name"], tuple(a["values"]), tuple(a.get("cuts", ())), a.get("column", ""))
                    for a in saved["attributes"]
                )
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"not a label scheme: {type(error).__name__}: {error}") from None


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
    """An attribute that is a number cut into bands; the bands' names are made from the cuts where none are given."""
    if not cuts:
        raise InputError(f"attribute {name!r}: at least one cut is needed to make bands")
    cuts = tuple(float(cut) for cut in cuts)
    return Attribute(name, tuple(names) or band_names(cuts), cuts, column)


def scheme_from_config(attributes: Mapping[str, Any]) -> Scheme:
    """A scheme from an experiment file's `attributes`:

        mask: [worn, incorrect, none]                  names in the order of their classes
        age: {cuts: [30, 60]}                          a number in bands; `names` names them
        kind: {column: label, values: [top, bottom]}   `column` where the table calls it otherwise

    InputError tells every attribute that is not of these forms.
    """
    made, faults = [], []
    for name, given in attributes.items():
        name = normal_text(name)
        try:
            made.append(_attribute_from_config(name, given))
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("attributes: " + "; ".join(faults))
    return Scheme(tuple(made))


def _attribute_from_config(name: str, given: Any) -> Attribute:
    form = given if isinstance(given, Mapping) else {"values": given}
    known = ("values", "cuts", "names", "column")
    for key in form:
        if key not in known:
            raise InputError(f"attribute {name!r}: unknown key {key!r}, expected {listing(known)}")
    column = normal_text(form.get("column") or "")
    if ("cuts" in form) == ("values" in form) or ("names" in form and "cuts" not in form):
        raise InputError(f"attribute {name!r}: expected either values, or cuts and perhaps names of their bands")
    if "cuts" in form:
        try:
            return banded(name, [float(cut) for cut in form["cuts"]], _value_names(name, form.get("names", ())), column)
        except (TypeError, ValueError):
            raise InputError(f"attribute {name!r}: cuts must be numbers, not {form['cuts']!r}") from None
    values = _value_names(name, form.get("values"))
    if len(values) < 2:
        raise InputError(f"attribute {name!r}: at least two values are needed, got {form.get('values')!r}")
    return Attribute(name, values, (), column)


def _value_names(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InputError(f"attribute {name!r}: a list of names is expected, not {given!r}")
    for value in given:
        if value is None or isinstance(value, bool):
            raise InputError(f"attribute {name!r}: YAML reads a value as {value!r}; write it in quotes")
    return tuple(normal_text(value) for value in given)
