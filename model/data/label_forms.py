"""The forms of the setting `attributes`: a label scheme as an experiment file writes it, before any label is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model.attributes import Attribute, LabelPattern, banded, normal_text, pattern_column
from model.errors import InputError, did_you_mean, listing
from model.label_values import LabelRules, Names, found_names, similar_names

KEYS = ("column", "values", "cuts", "names", "drop", "merge", "fold_case", "optional", "pattern")


@dataclass(frozen=True)
class AttributeForm:
    """One entry of `attributes`.

    Attributes:
        name: Name of the attribute.
        column: The column of a table that holds it.
        values: Names of the classes in their order; empty where they are those that occur in the column.
        cuts: Lower bounds of the bands of a number.
        band_names: Names of the bands; empty where they are named after the cuts.
        rules: Labels that are left out, renamed or equal in any letter case.
        optional: Whether rows may have no label of it.
        pattern: If its labels are parts of a text; `column` is then the one that model.data.label_pattern adds.
    """

    name: str
    column: str
    values: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    band_names: tuple[str, ...] = ()
    rules: LabelRules = field(default_factory=LabelRules)
    optional: bool = False
    pattern: LabelPattern | None = None

    @property
    def finds_values(self) -> bool:
        """Whether the classes are the values that occur."""
        return not (self.values or self.cuts)

    def attribute(self, labels: Sequence[str]) -> Attribute:
        """The attribute, with the values that occur where none are listed.

        Args:
            labels: The column, in normal form.

        Raises:
            InputError: Fewer than two values occur.
        """
        if self.cuts:
            bands = banded(self.name, self.cuts, self.band_names, self.column)
            return replace(bands, rules=self.rules, optional=self.optional, pattern=self.pattern)
        values = self.values or found_names((self.rules.apply(label) or "" for label in labels), self.rules.fold_case)
        if len(values) < 2:
            raise InputError(f"attribute {self.name!r}: column {self.column} holds {listing(values) or 'nothing'} only")
        return Attribute(self.name, values, (), self.column, self.rules, self.optional, self.pattern)

    def unused_rules(self, labels: Sequence[str]) -> list[str]:
        """A sentence for each label that drop or merge names and the column does not have."""
        occurring = list(dict.fromkeys(label for label in labels if label))
        found = Names(occurring, self.rules.fold_case)
        return [
            f"attribute {self.name!r}: {label!r} is in drop or merge, but not in column {self.column}"
            f"{did_you_mean(label, occurring)}"
            for label in self.rules.names()
            if found.code(label) is None
        ]


def forms_from_config(attributes: Mapping[str, Any]) -> list[AttributeForm]:
    """Parses the setting `attributes`. The forms of an attribute:

        mask: [worn, incorrect, none]                  names in the order of their classes
        age: {cuts: [30, 60]}                          a number in bands; `names` names them
        kind: {column: label, values: [top, bottom]}   `column` where its column has another name
        fine: {column: fine}                           the values that occur; {} where its column has its name

    A mapping may have `drop: [Skip, ""]`, labels whose rows are left out; `merge: {Shirt: [Polo, Tee]}`, labels that
    get another name; `fold_case: true`, which makes names equal that differ in letter case or white space only;
    `optional: true`, by which rows may have no label; `pattern: 'A([0-9]+)'`, a regular expression whose first group is
    the label, in the path of the image or, with `column`, in that column.

    Raises:
        InputError: Lists every attribute that has none of these forms.
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
    """One attribute; form: a list of values, or a mapping."""
    keys = form if isinstance(form, Mapping) else {"values": form}
    for key in keys:
        if key not in KEYS:
            raise InputError(
                f"attribute {name!r}: unknown key {key!r}, expected {listing(KEYS)}{did_you_mean(str(key), KEYS)}"
            )
    if ("cuts" in keys and "values" in keys) or ("names" in keys and "cuts" not in keys):
        raise InputError(f"attribute {name!r}: expected either values, or cuts and perhaps names of their bands")
    column = normal_text(keys.get("column") or "") or name
    rules, optional = _rules(name, keys), _is_true(name, "optional", keys)
    if optional and rules.drops(""):
        raise InputError(f"attribute {name!r}: rows without a label are either dropped or, with optional, kept")
    if "cuts" in keys:
        try:
            cuts = tuple(float(cut) for cut in keys["cuts"])
        except (TypeError, ValueError):
            raise InputError(f"attribute {name!r}: cuts must be numbers, not {keys['cuts']!r}") from None
        bands = _texts(name, keys.get("names", ()))
        banded(name, cuts, bands, column)  # checks them
        return AttributeForm(name, column, (), cuts, bands, rules, optional)
    values = _texts(name, keys["values"]) if "values" in keys else ()
    if "values" in keys:
        if len(values) < 2:
            raise InputError(f"attribute {name!r}: at least two values are needed, got {keys['values']!r}")
        Attribute(name, values, (), column)  # checks them
        _check_values(name, values, rules)
    return AttributeForm(name, column, values, (), (), rules, optional)


def _with_pattern(form: AttributeForm, keys: Any) -> AttributeForm:
    """The form with the key `pattern`, if there is one, which is searched in the key `column` or the image's path."""
    if not isinstance(keys, Mapping) or "pattern" not in keys:
        return form
    try:
        pattern = LabelPattern(keys["pattern"], normal_text(keys.get("column") or ""))
    except InputError as error:
        raise InputError(f"attribute {form.name!r}: {error}") from None
    return replace(form, column=pattern_column(form.name), pattern=pattern)


def _rules(name: str, keys: Mapping[str, Any]) -> LabelRules:
    """drop, merge and fold_case of an attribute."""
    fold_case = _is_true(name, "fold_case", keys)
    merge = keys.get("merge") or {}
    if not isinstance(merge, Mapping):
        raise InputError(f"attribute {name!r}: merge is a mapping, {{new: [old, old]}}, not {merge!r}")
    pairs = []
    for new, olds in merge.items():
        (target,) = _texts(name, [new])
        pairs += [(old, target) for old in _texts(name, [olds] if isinstance(olds, str) else olds)]
    drop = keys.get("drop") or ()
    dropped = _texts(name, [drop] if isinstance(drop, str) else drop)
    renamed = [old for old, _ in pairs]
    duplicate = next((old for old in renamed if renamed.count(old) > 1 or old in dropped), None)
    if duplicate is not None:
        raise InputError(f"attribute {name!r}: {duplicate!r} is named twice in drop and merge")
    return LabelRules(dropped, tuple(pairs), fold_case)


def _is_true(name: str, key: str, keys: Mapping[str, Any]) -> bool:
    value = keys.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"attribute {name!r}: {key} is true or false, not {value!r}")
    return value


def _check_values(name: str, values: Sequence[str], rules: LabelRules) -> None:
    """InputError if no label can ever have one of the values, because the rules drop, rename or fold it."""
    for value in values:
        if rules.apply(value) != value:
            raise InputError(f"attribute {name!r}: the value {value!r} is dropped or renamed; list the new names")
    equal = similar_names(values) if rules.fold_case else []
    if equal:
        raise InputError(f"attribute {name!r}: with fold_case the values {listing(equal[0])} are one")


def _texts(name: str, values: Any) -> tuple[str, ...]:
    """Names or labels as text. InputError if YAML has turned one into a boolean or null."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"attribute {name!r}: a list of names is expected, not {values!r}")
    for value in values:
        if value is None or isinstance(value, bool):
            raise InputError(f"attribute {name!r}: YAML reads a value as {value!r}; write it in quotes")
    return tuple(normal_text(value) for value in values)
