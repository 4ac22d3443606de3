"""Names inside settings that are mappings: arguments, settings by attribute, the label scheme.

`_` and `-` are equal in all of them; in names of settings, upper and lower case are too. Most functions here are the
`nested` of a field (model.settings.fields.Nested): they return the value with canonical names, and a sentence for each
problem. where: the name of the setting in messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model.errors import InputError, did_you_mean, listing
from model.settings.decode import decode
from model.settings.fields import Layer, Nested, canonical, decode_layer


def argument_name(name: str) -> str:
    """An argument's name with `_` for `-`. Upper and lower case differ: torch's schedulers have a T_max."""
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
    """Checks settings of a class by attribute. The names of attributes are not changed."""

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
    """Mappings by attribute, of which only the names are made canonical; other values and the names of attributes are
    not changed."""
    by_attribute: dict[str, Any] = {}
    problems: list[str] = []
    for attribute, own in value.items():
        by_attribute[attribute] = own
        if isinstance(own, Mapping):
            by_attribute[attribute], wrong = _renamed(f"{where}: {attribute}", own, canonical)
            problems += wrong
    return by_attribute, problems


def own_names(value: Mapping[str, Any], attributes: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Replaces the keys of a mapping by the names of attributes.

    Args:
        value: Values by name of an attribute: exact, or equal except for `_`, `-`, upper and lower case.
        attributes: Names of the attributes.

    Returns:
        The values by attribute, and the keys that match no attribute, several, or one that has a value already.
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
    """The values by attribute, as of own_names.

    Args:
        where: The name of the setting in messages.
        value: See own_names.
        attributes: Names of the attributes.

    Raises:
        InputError: Lists the keys that match no attribute, with the nearest.
    """
    named, unknown = own_names(value, attributes)
    if unknown:
        texts = listing(f"{name!r}{did_you_mean(name, attributes)}" for name in unknown)
        raise InputError(f"{where}: there is no attribute {texts}; expected {listing(attributes)}")
    return named


def _renamed(where: str, value: Mapping[str, Any], rename: Callable[[str], str]) -> tuple[dict[str, Any], list[str]]:
    """Renames the keys of a mapping.

    Args:
        where: The name of the setting in messages.
        value: The mapping.
        rename: Returns the new name of a key.

    Returns:
        The renamed mapping, and a sentence for each new name that two keys have.
    """
    renamed: dict[str, Any] = {}
    problems: list[str] = []
    for key, item in value.items():
        name = rename(str(key))
        if name in renamed:
            problems.append(f"{where}: {name} is set twice, with different spellings")
        renamed[name] = item
    return renamed, problems
