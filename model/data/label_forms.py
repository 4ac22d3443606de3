"""Parses the setting `attributes`, the label scheme of an experiment file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model.attributes import Attribute, LabelPattern, banded, normal_text, pattern_column
from model.errors import InputError, did_you_mean, listing
from model.label_values import LabelRules, Names, found_names, similar_names
from model.settings.numbers import NUMBER_KEYS, NumberLearning, number_learning

KEYS = ("column", "values", "cuts", "names", "drop", "merge", "fold_case", "optional", "pattern", *NUMBER_KEYS)


@dataclass(frozen=True)
class AttributeForm:
    """One entry of `attributes`.

    Attributes:
        name: Name of the attribute.
        column: Column of the table with its labels.
        values: Names of the classes in order; empty: the values in the column.
        cuts: If the labels are numbers, the lower bounds of the bands.
        band_names: Names of the bands; empty: named after the cuts.
        rules: Labels that are dropped, renamed or equal in any letter case.
        optional: Whether rows may have no label of this attribute.
        pattern: Finds the label in a longer text; `column` is then the one that model.data.label_pattern adds.
        learning: How the distribution of the number is learned; None if classes are learned.
    """

    name: str
    column: str
    values: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    band_names: tuple[str, ...] = ()
    rules: LabelRules = field(default_factory=LabelRules)
    optional: bool = False
    pattern: LabelPattern | None = None
    learning: NumberLearning | None = None

    @property
    def finds_values(self) -> bool:
        """Whether the classes are the values in the column."""
        return not (self.values or self.cuts)

    def attribute(self, labels: Sequence[str]) -> Attribute:
        """The attribute. If the setting lists no values, they are the distinct labels.

        Args:
            labels: The labels of all rows, in normal form.

        Raises:
            InputError: There are fewer than two distinct labels.
        """
        if self.cuts:
            bands = banded(self.name, self.cuts, self.band_names, self.column)
            return replace(bands, rules=self.rules, optional=self.optional, pattern=self.pattern)
        values = self.values or found_names((self.rules.apply(label) or "" for label in labels), self.rules.fold_case)
        if len(values) < 2:
            content = listing(values) or "empty values"
            raise InputError(f"attribute {self.name!r}: column {self.column} contains only {content}")
        return Attribute(self.name, values, (), self.column, self.rules, self.optional, self.pattern)

    def unused_rules(self, labels: Sequence[str]) -> list[str]:
        """A sentence for each label that is in drop or merge but not in the column."""
        occurring = list(dict.fromkeys(label for label in labels if label))
        names = Names(occurring, self.rules.fold_case)
        return [
            f"attribute {self.name!r}: {label!r} is in drop or merge, but not in column {self.column}"
            f"{did_you_mean(label, occurring)}"
            for label in self.rules.names()
            if names.code(label) is None
        ]


def forms_from_config(attributes: Mapping[str, Any]) -> list[AttributeForm]:
    """Parses the setting `attributes`. An attribute can be written as:

        mask: [worn, incorrect, none]                  names of the classes in order
        age: {cuts: [30, 60]}                          a number in bands; `names` sets the names of the bands
        kind: {column: label, values: [top, bottom]}   `column` if the column has another name
        fine: {column: fine}                           the values in the column; {} if the column has the same name

    A mapping may also have:

        drop: [Skip, ""]               labels whose rows are skipped
        merge: {Shirt: [Polo, Tee]}    labels that get another name
        fold_case: true                names that differ only in letter case or white space are equal
        optional: true                 rows may have no label
        pattern: 'A([0-9]+)'           a regular expression whose first group is the label, searched in the path of the
                                       image or, with `column`, in that column
        learn: distribution            the distribution of a number with `cuts` is learned, with `sigma: 5`, the
                                       standard deviation around an image's number; optional: bin_width,
                                       range: [smallest, largest] and expectation_weight

    Raises:
        InputError: Lists every invalid attribute.
    """
    parsed, errors = [], []
    for name, form in attributes.items():
        try:
            parsed.append(_with_pattern(_form(normal_text(name), form), form))
        except InputError as error:
            errors.append(str(error))
    if errors:
        raise InputError("attributes: " + "; ".join(errors))
    return parsed


def _form(name: str, form: Any) -> AttributeForm:
    """Parses one attribute. form: a list of values, or a mapping."""
    keys = form if isinstance(form, Mapping) else {"values": form}
    for key in keys:
        if key not in KEYS:
            raise InputError(
                f"attribute {name!r}: unknown key {key!r}, expected {listing(KEYS)}{did_you_mean(str(key), KEYS)}"
            )
    if ("cuts" in keys and "values" in keys) or ("names" in keys and "cuts" not in keys):
        raise InputError(f"attribute {name!r}: expected either values, or cuts with optional names")
    column, learning = normal_text(keys.get("column") or "") or name, number_learning(name, keys)
    rules, optional = _rules(name, keys), _is_true(name, "optional", keys)
    if optional and rules.drops(""):
        raise InputError(
            f'attribute {name!r}: set either `drop: [""]`, which skips rows without a label, or `optional: true`, '
            f"which keeps them"
        )
    if "cuts" in keys:
        try:
            cuts = tuple(float(cut) for cut in keys["cuts"])
        except (TypeError, ValueError):
            raise InputError(f"attribute {name!r}: cuts must be numbers, not {keys['cuts']!r}") from None
        bands = _texts(name, keys.get("names", ()))
        banded(name, cuts, bands, column)  # checks them
        return AttributeForm(name, column, (), cuts, bands, rules, optional, learning=learning)
    values = _texts(name, keys["values"]) if "values" in keys else ()
    if "values" in keys:
        if len(values) < 2:
            raise InputError(f"attribute {name!r}: expected at least two values, not {keys['values']!r}")
        Attribute(name, values, (), column)  # checks them
        _check_values(name, values, rules)
    return AttributeForm(name, column, values, (), (), rules, optional)


def _with_pattern(form: AttributeForm, keys: Any) -> AttributeForm:
    """Adds the pattern of the key `pattern`, if any, which is searched in the key `column` or in the image's path."""
    if not isinstance(keys, Mapping) or "pattern" not in keys:
        return form
    try:
        pattern = LabelPattern(keys["pattern"], normal_text(keys.get("column") or ""))
    except InputError as error:
        raise InputError(f"attribute {form.name!r}: {error}") from None
    return replace(form, column=pattern_column(form.name), pattern=pattern)


def _rules(name: str, keys: Mapping[str, Any]) -> LabelRules:
    """Parses drop, merge and fold_case of an attribute."""
    fold_case = _is_true(name, "fold_case", keys)
    merge = keys.get("merge") or {}
    if not isinstance(merge, Mapping):
        raise InputError(f"attribute {name!r}: merge must be a mapping such as {{new: [old, old]}}, not {merge!r}")
    pairs = []
    for new, olds in merge.items():
        (target,) = _texts(name, [new])
        pairs += [(old, target) for old in _texts(name, [olds] if isinstance(olds, str) else olds)]
    drop = keys.get("drop") or ()
    dropped = _texts(name, [drop] if isinstance(drop, str) else drop)
    renamed = [old for old, _ in pairs]
    duplicate = next((old for old in renamed if renamed.count(old) > 1 or old in dropped), None)
    if duplicate is not None:
        raise InputError(f"attribute {name!r}: {duplicate!r} is a duplicate in drop and merge")
    return LabelRules(dropped, tuple(pairs), fold_case)


def _is_true(name: str, key: str, keys: Mapping[str, Any]) -> bool:
    value = keys.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"attribute {name!r}: {key} must be true or false, not {value!r}")
    return value


def _check_values(name: str, values: Sequence[str], rules: LabelRules) -> None:
    """Raises InputError if the rules drop, rename or merge one of the values, so that no row could have it."""
    for value in values:
        if rules.apply(value) != value:
            raise InputError(
                f"attribute {name!r}: the value {value!r} is dropped or renamed by drop or merge; list the new names"
            )
    equal = similar_names(values) if rules.fold_case else []
    if equal:
        raise InputError(
            f"attribute {name!r}: with fold_case the values {listing(equal[0])} are the same; list only one of them"
        )


def _texts(name: str, values: Any) -> tuple[str, ...]:
    """Converts names or labels to text. Raises InputError if YAML has turned one into a boolean or null."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"attribute {name!r}: expected a list of names, not {values!r}")
    for value in values:
        if value is None or isinstance(value, bool):
            raise InputError(f"attribute {name!r}: YAML reads a value as {value!r}; write it in quotes")
    return tuple(normal_text(value) for value in values)
