"""Label schemes: attributes with named values (mask, gender, age in bands) and the joint class that combines them.

A scheme is saved with every model (labels.json) and written next to every output. Imports no torch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from model.attributes import Attribute, LabelPattern, ReadLabels, banded, normal_text
from model.combinations import Combinations, codes_of, complete_rows, number_of, number_of_name
from model.errors import InputError, did_you_mean, listing
from model.label_values import LabelRules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

JOINT, HEADS = "joint", "heads"  # targets that learn all attributes; other targets are the name of one attribute
JOIN = "/"  # between the values in the name of a joint class
MAX_COMBINATIONS = 1_000  # with more combinations of values, only those that occur are joint classes


@dataclass(frozen=True)
class Scheme:
    """Attributes in order, and the joint classes of their combinations.

    All combinations of values are numbered with the last attribute varying fastest (C order): mask*6 + gender*3 + age
    for the mask scheme. With a single attribute, the number is its class. These numbers are the joint classes, unless
    `combinations` is set.

    Attributes:
        attributes: The attributes.
        combinations: Numbers of the combinations that are joint classes, in the order of the classes; None: all are
            joint classes. If a channel's scheme `is_large`, they are the combinations that occur in the channel.
    """

    attributes: tuple[Attribute, ...]
    combinations: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        names = self.names
        if not names:
            raise InputError("a label scheme needs at least one attribute")
        if len(set(names)) != len(names):
            raise InputError(f"duplicate attribute names: {listing(names)}")
        if self.num_combinations > 2**62:
            raise InputError(f"the attributes {listing(names)} have more than 2^62 combinations of values")
        if self.combinations is not None:
            listed = self.combinations
            if not listed or len(set(listed)) != len(listed) or min(listed) < 0 or max(listed) >= self.num_combinations:
                raise InputError(f"combinations must be distinct numbers from 0 to {self.num_combinations - 1}")
        elif self.is_large:
            return  # names are checked once the combinations that occur are known
        if len(set(self.class_names)) != self.num_classes:
            raise InputError(f"joint classes with the same name: {listing(self.class_names)}")

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
        """Number of all combinations of values, including those that do not occur."""
        return math.prod(self.sizes)

    @property
    def is_large(self) -> bool:
        """Whether there are more than MAX_COMBINATIONS combinations of values, as in a hierarchy.

        Then the joint classes of a channel are the combinations that occur, and the score is the mean of the
        attributes' scores. False for a single attribute.
        """
        return len(self.attributes) > 1 and self.num_combinations > MAX_COMBINATIONS

    @property
    def num_classes(self) -> int:
        """Number of joint classes."""
        return self.num_combinations if self.combinations is None else len(self.combinations)

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the joint classes in order, such as `worn/male/under 30`."""
        if self.combinations is not None:
            codes = (codes_of(number, self.sizes) for number in self.combinations)
            return [JOIN.join(one.values[code] for one, code in zip(self.attributes, own)) for own in codes]
        names = [""]
        for attribute in self.attributes:
            names = [f"{name}{JOIN}{value}" if name else value for name in names for value in attribute.values]
        return names

    def combination_number(self, name: str) -> int | None:
        """The number of the combination with this name, even if it is not a joint class; None if there is none."""
        return number_of_name(normal_text(name), [attribute.values for attribute in self.attributes], JOIN)

    def attribute(self, name: str) -> Attribute:
        """The attribute with this name. Raises InputError, with the nearest name, if there is none."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        known = listing(self.names)
        raise InputError(f"{name!r} is not an attribute; expected one of {known}{did_you_mean(name, self.names)}")

    def only(self, name: str) -> Scheme:
        """The scheme with only one attribute."""
        return Scheme((self.attribute(name),))

    def joint(self, codes: Mapping[str, Any]) -> Any:
        """Combines the classes of each attribute into joint classes.

        Args:
            codes: Classes by attribute: ints, or integer arrays or tensors of the same shape.

        Returns:
            The joint classes. If `combinations` is set, NO_CLASS for other combinations and where a class is negative.
        """
        own = [codes[name] for name in self.names]
        number = number_of(own, self.sizes)
        if self.combinations is None:
            return number
        is_complete = min(own) >= 0 if isinstance(number, int) else complete_rows(own)
        return self._table.classes(number, is_complete)

    def split(self, joint: Any) -> dict[str, Any]:
        """Splits joint classes (an int, or an integer array or tensor) into the classes of each attribute."""
        number = joint if self.combinations is None else self._table.numbers_of(joint)
        return dict(zip(self.names, codes_of(number, self.sizes)))

    def occurring(self, *tables: Mapping[str, NDArray[np.int64]]) -> Scheme:
        """The scheme of a channel: if it is_large, the joint classes are the combinations that occur, in C order.

        Args:
            tables: For each table, the classes of each attribute, int64 (n,). Rows with a negative class are ignored.
        """
        if not self.is_large:
            return self
        numbers: set[int] = set()
        for codes in tables:
            own = [codes[name] for name in self.names]
            numbers.update(number_of(own, self.sizes)[complete_rows(own)].tolist())
        return replace(self, combinations=tuple(sorted(numbers)) or None)

    def extended(self, numbers: Iterable[int]) -> Scheme:
        """Adds these combinations as classes after the existing ones, whose numbers do not change."""
        if self.combinations is None:
            return self
        return replace(self, combinations=tuple(dict.fromkeys([*self.combinations, *numbers])))

    @cached_property
    def _table(self) -> Combinations:
        return Combinations(self.combinations or ())

    def read(self, labels: Iterable[str], readings: Sequence[str]) -> ReadLabels:
        """Reads labels of joint classes like Attribute.read, but without bands."""
        return self._joint_attribute.read(labels, readings, bands=False)

    @cached_property
    def _joint_attribute(self) -> Attribute:
        return Attribute("class", tuple(self.class_names), rules=self.rules)

    @property
    def rules(self) -> LabelRules:
        """The rules for labels of joint classes: those of an only attribute; with more attributes there are none."""
        return self.attributes[0].rules if len(self.attributes) == 1 else LabelRules()

    def values_fingerprint(self) -> str:
        """A hash (BLAKE2b, hex) of the names of the attributes and their values, in order."""
        texts = [text for attribute in self.attributes for text in (attribute.name, *attribute.values, "")]
        return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json.

        from_dict reads `attributes` and, if only some combinations are joint classes, `combinations`. The entries
        `joint` (the formula of the number of a combination) and `classes` are for readers.
        """
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
        """The factor of each attribute's class in the number of a combination."""
        return [math.prod(self.sizes[i + 1 :]) for i in range(len(self.sizes))]

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Scheme:
        """The inverse of to_dict. Raises InputError if the content is invalid."""
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
            raise InputError(f"invalid label scheme: {type(error).__name__}: {error}") from None


def target_scheme(scheme: Scheme, target: str) -> Scheme:
    """The part of a scheme that a target learns.

    Args:
        scheme: The scheme of a channel.
        target: joint or heads for all attributes, otherwise the name of an attribute.

    Raises:
        InputError: There is no such attribute.
    """
    return scheme if target in (JOINT, HEADS) else scheme.only(target)


def mask_scheme(age_cuts: Sequence[float] = (30, 60)) -> Scheme:
    """The mask competition's 18 classes: mask*6 + gender*3 + age, with age in years in bands that start at age_cuts."""
    return Scheme(
        (
            Attribute("mask", ("worn", "incorrect", "none")),
            Attribute("gender", ("male", "female")),
            banded("age", age_cuts),
        )
    )
