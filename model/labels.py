"""Label schemes: attributes with named values (mask, gender, age in bands) and the joint class that combines them.

A scheme is saved with every model (labels.json) and written beside every output. Imports no torch.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from model.errors import InputError, did_you_mean, listing

JOINT, HEADS = "joint", "heads"  # targets that learn all attributes; others are the name of one attribute
JOIN = "/"  # between the attributes' values in the name of a joint class


def normal_text(value: object) -> str:
    """Text in the form in which it is compared: Unicode NFC without surrounding white space (macOS writes file names
    as NFD)."""
    return unicodedata.normalize("NFC", str(value)).strip()


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
        pattern: If the labels are parts of a text; `column` is then the one that model.data.label_pattern adds.
    """

    name: str
    values: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    column: str = ""
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

    def parse(self, value: object) -> tuple[int, float | None]:
        """Parses a table value: the name of a class; else, for an attribute in bands, a number; else a class as integer
        text.

        Returns:
            The class, and the number where one was parsed into a band.

        Raises:
            ValueError: Says what was expected.
        """
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
    """Attributes in order, and the joint class of their combinations.

    The last attribute varies fastest in the joint class (C order): mask*6 + gender*3 + age for the mask scheme. With
    one attribute, the joint class is that attribute's class.
    """

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
        """Names of the attributes."""
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def num_classes(self) -> int:
        """Number of joint classes."""
        return math.prod(len(attribute.values) for attribute in self.attributes)

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the joint classes in their order, `worn/male/under 30`."""
        names = [""]
        for attribute in self.attributes:
            names = [f"{name}{JOIN}{value}" if name else value for name in names for value in attribute.values]
        return names

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
        """Combines each attribute's classes (ints, or integer arrays or tensors of one shape) into joint classes."""
        joint: Any = 0
        for attribute in self.attributes:
            joint = joint * len(attribute.values) + codes[attribute.name]
        return joint

    def split(self, joint: Any) -> dict[str, Any]:
        """Splits joint classes (an int, or an integer array or tensor) into each attribute's classes."""
        codes: dict[str, Any] = {}
        for attribute in reversed(self.attributes):
            codes[attribute.name] = joint % len(attribute.values)
            joint = joint // len(attribute.values)
        return {name: codes[name] for name in self.names}

    def class_of(self, value: object) -> int:
        """Parses a value of an answers or truth table, the name of a joint class or its number as text. ValueError says
        what was expected."""
        return self._joint_attribute.parse(value)[0]

    @cached_property
    def _joint_attribute(self) -> Attribute:
        return Attribute("class", tuple(self.class_names))

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json. from_dict reads `attributes`; `joint` and `classes` are for people."""
        return {
            "attributes": [
                {"name": a.name, "values": list(a.values), "cuts": list(a.cuts), "column": a.column}
                | ({"pattern": asdict(a.pattern)} if a.pattern else {})
                for a in self.attributes
            ],
            "joint": " + ".join(
                f"{name}*{stride}" if stride > 1 else name for name, stride in zip(self.names, self._strides())
            ),
            "classes": self.class_names,
        }

    def _strides(self) -> list[int]:
        """What each attribute's class is multiplied by in the joint class."""
        sizes = [len(attribute.values) for attribute in self.attributes]
        return [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Scheme:
        """The inverse of to_dict. InputError if the content is not a scheme."""
        try:
            return cls(
                tuple(
                    Attribute(
                        *(a["name"], tuple(a["values"]), tuple(a.get("cuts", ())), a.get("column", "")),
                        pattern=LabelPattern(**a["pattern"]) if "pattern" in a else None,
                    )
                    for a in saved["attributes"]
                )
            )
        except (KeyError, TypeError) as error:
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


def scheme_from_config(attributes: Mapping[str, Any]) -> Scheme:
    """Parses the setting `attributes` into a scheme. The forms of an attribute:

        mask: [worn, incorrect, none]                  names in the order of their classes
        age: {cuts: [30, 60]}                          a number in bands; `names` names them
        kind: {column: label, values: [top, bottom]}   `column` where its column has another name
        age: {pattern: 'A([0-9]+)', cuts: [30, 60]}    a part of the image's path, or of `column` if there is one

    Raises:
        InputError: Lists every attribute that has none of these forms.
    """
    parsed, errors = [], []
    for name, form in attributes.items():
        try:
            attribute = _attribute_from_config(normal_text(name), form)
            pattern = _pattern_from_config(attribute.name, form)
            parsed.append(
                replace(attribute, pattern=pattern, column=pattern_column(attribute.name)) if pattern else attribute
            )
        except InputError as error:
            errors.append(str(error))
    if errors:
        raise InputError("attributes: " + "; ".join(errors))
    return Scheme(tuple(parsed))


def _attribute_from_config(name: str, form: Any) -> Attribute:
    """One attribute; form: a list of values, or a mapping with values or cuts."""
    keys = form if isinstance(form, Mapping) else {"values": form}
    known = ("values", "cuts", "names", "column", "pattern")
    for key in keys:
        if key not in known:
            raise InputError(f"attribute {name!r}: unknown key {key!r}, expected {listing(known)}")
    column = normal_text(keys.get("column") or "")
    if ("cuts" in keys) == ("values" in keys) or ("names" in keys and "cuts" not in keys):
        raise InputError(f"attribute {name!r}: expected either values, or cuts and perhaps names of their bands")
    if "cuts" in keys:
        try:
            return banded(name, [float(cut) for cut in keys["cuts"]], _value_names(name, keys.get("names", ())), column)
        except (TypeError, ValueError):
            raise InputError(f"attribute {name!r}: cuts must be numbers, not {keys['cuts']!r}") from None
    values = _value_names(name, keys.get("values"))
    if len(values) < 2:
        raise InputError(f"attribute {name!r}: at least two values are needed, got {keys.get('values')!r}")
    return Attribute(name, values, (), column)


def _pattern_from_config(name: str, form: Any) -> LabelPattern | None:
    """The key `pattern` of an attribute, if there is one, with the column whose texts it is searched in."""
    if not isinstance(form, Mapping) or "pattern" not in form:
        return None
    try:
        return LabelPattern(form["pattern"], normal_text(form.get("column") or ""))
    except InputError as error:
        raise InputError(f"attribute {name!r}: {error}") from None


def pattern_column(name: str) -> str:
    """The column that is added to the rows of a channel for an attribute with a pattern."""
    return f"{name} by pattern"


def _value_names(name: str, values: Any) -> tuple[str, ...]:
    """The names of an attribute's values as text. InputError if YAML has turned one into a boolean or null."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"attribute {name!r}: a list of names is expected, not {values!r}")
    for value in values:
        if value is None or isinstance(value, bool):
            raise InputError(f"attribute {name!r}: YAML reads a value as {value!r}; write it in quotes")
    return tuple(normal_text(value) for value in values)
