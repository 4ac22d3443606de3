"""Names inside settings that are mappings: arguments, settings by attribute, the label scheme.

`_` and `-` are equal in all of them, and letter case is too in names of settings. Most functions are what a field
declares as `nested` (model.settings.fields.Nested): they return the value with canonical names, and a sentence for each
problem. where: what messages call the setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode
from model.settings.fields import Layer, Nested, canonical, decode_layer


def argument_name(name: str) -> str:
    """An argument's name with `_` for `-`. Letter case counts: torch's schedulers have a T_max."""
    return name.strip().replace("-", "_")


def arguments(where: str, value: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Arguments of a function by name."""
    return _renamed(where, value, argument_name)


def named_arguments(where: str, value: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Names, each with arguments by name."""
    named, problems = _renamed(where, value, argument_name)
    for name, own in named.items():
        named[name], wrong = arguments(f"{where}: {name}", own)
        problems += wrong
    return named, problems


def settings_by_attribute(cls: type) -> Nested:
    """For each attribute settings of a class, of which it may have some. The names of attributes stay as they are."""

    def decoded(where: str, value: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        by_attribute: dict[str, Any] = {}
        problems: list[str] = []
        for attribute, raw in value.items():
            try:
                own, wrong = _renamed(f"{where}: {attribute}", decode(dict, raw), canonical)
            except ValueError as error:
                problems.append(f"{where}: {attribute}: {error}")
                continue
            by_attribute[attribute], invalid = decode_layer(cls, Layer(f"{where}: {attribute}: {{}}", own))
            problems += [*wrong, *invalid]
        return by_attribute, problems

    return decoded


def names_by_attribute(where: str, value: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """For each attribute a mapping by name, of which only the names are changed; anything but a mapping is left as it
    is. The names of attributes stay as they are."""
    by_attribute: dict[str, Any] = {}
    problems: list[str] = []
    for attribute, own in value.items():
        by_attribute[attribute] = own
        if isinstance(own, Mapping):
            by_attribute[attribute], wrong = _renamed(f"{where}: {attribute}", own, canonical)
            problems += wrong
    return by_attribute, problems


def own_names(value: Mapping[str, Any], attributes: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The values of a mapping by attribute under the attributes' own names.

    Args:
        value: Values by name of attribute: exact, or else equal up to `_`, `-` and letter case to one attribute.
        attributes: Names of the attributes.

    Returns:
        The values, and the keys that name no attribute, more than one, or one that has a value already.
    """
    known = list(attributes)
    named: dict[str, Any] = {key: own for key, own in value.items() if key in known}
    unknown: list[str] = []
    for key, own in value.items():
        if key in known:
            continue
        equal = [name for name in known if canonical(name) == canonical(key)]
        if len(equal) == 1 and equal[0] not in named:
            named[equal[0]] = own
        else:
            unknown.append(key)
    return named, unknown


def under_own_names(where: str, value: Mapping[str, Any], attributes: Sequence[str]) -> dict[str, Any]:
    """The values of own_names.

    Raises:
        InputError: Lists the keys that name no attribute, with the nearest; where: what the message calls the setting.
    """
    named, unknown = own_names(value, attributes)
    if unknown:
        texts = listing(f"{name!r}{did_you_mean(name, attributes)}" for name in unknown)
        raise InputError(f"{where}: there is no attribute {texts}; expected {listing(attributes)}")
    return named


def _renamed(where: str, value: Mapping[str, Any], rename: Callable[[str], str]) -> tuple[dict[str, Any], list[str]]:
    """The values under their names after renaming, and a sentence for each name that then is there twice."""
    renamed: dict[str, Any] = {}
    problems: list[str] = []
    for key, item in value.items():
        name = rename(str(key))
        if name in renamed:
            problems.append(f"{where}: {name} is set twice, in different spellings")
        renamed[name] = item
    return renamed, problems
