"""Selects images: by conditions such as `mask=worn age=60+`, or by a text in their path, group or labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from exploration.review.row_labels import RowLabels
from model.attributes import Attribute, normal_text
from model.errors import InputError, did_you_mean, listing
from model.label_values import is_quantity

RANGE = re.compile(r"([0-9.]*)(\+|-)([0-9.]*)")
PATH, GROUP = "path", "group"

Test = Callable[[str], bool]


def filter_rows(labels: RowLabels, conditions: Sequence[str], flag: str = "filter") -> list[int]:
    """The rows that fulfil conditions.

    Args:
        labels: The channel.
        conditions: NAME=VALUE each. NAME: an attribute, a metadata column, `group`, or `path`, which contains VALUE.
            Several values of a name are alternatives. A number: 25, 60+ (at least), 30-59 or -29 (at most).
        flag: The setting that they come from, for messages.

    Raises:
        InputError: Lists all invalid conditions.
    """
    known = [*labels.table.scheme.names, *labels.metadata(0), GROUP, PATH] if labels.paths else []
    tests: dict[str, list[Test]] = {}
    problems = []
    for condition in conditions:
        name, equals, value = condition.partition("=")
        name = name.strip()
        if not equals or name not in known:
            problems.append(f"{condition!r}, expected NAME=VALUE with {listing(known)}{did_you_mean(name, known)}")
            continue
        attribute = labels.table.scheme.attribute(name) if name in labels.table.scheme.names else None
        test = _test(attribute, name, normal_text(value))
        if test is None:
            assert attribute is not None
            near = did_you_mean(value, attribute.values)
            ranges = ", or a number or range such as 25, 60+, 30-59, -29" if attribute.cuts else ""
            problems.append(f"{condition!r}, expected {listing(attribute.values)}{ranges}{near}")
            continue
        tests.setdefault(name, []).append(test)
    if problems:
        raise InputError(f"{flag}:\n" + "\n".join(f"  {problem}" for problem in problems))

    def text(row: int, name: str) -> str:
        if name in labels.table.scheme.names:
            return labels.text(row, name)
        return {PATH: labels.paths[row], GROUP: labels.groups[row]}.get(name) or str(labels.metadata(row).get(name, ""))

    rows = range(len(labels.paths))
    return [row for row in rows if all(any(test(text(row, name)) for test in own) for name, own in tests.items())]


def _test(attribute: Attribute | None, name: str, value: str) -> Test | None:
    """Whether a text fulfils the condition `= value`; None if the value is invalid."""
    if attribute is None:
        return (lambda text: value in text) if name == PATH else (lambda text: text == value)
    if not attribute.cuts:
        code = attribute.lookup.code(value)
        return None if code is None and value else lambda text: attribute.lookup.code(text) == code
    if value in attribute.values:
        band = attribute.values.index(value)
        return lambda text: text == value or (is_quantity(text) and attribute.band(float(text)) == band)
    if is_quantity(value) and not value.startswith("-"):
        return lambda text: is_quantity(text) and float(text) == float(value)
    match = RANGE.fullmatch(value)
    if match is None or not (match[1] or match[3]) or (match[2] == "+") != (not match[3]):
        return None
    try:
        low, high = float(match[1] or "-inf"), float(match[3] or "inf")
    except ValueError:
        return None
    return lambda text: is_quantity(text) and low <= float(text) <= high


def search_rows(labels: RowLabels, text: str) -> list[int]:
    """The rows whose path, group or labels contain all words of a text, ignoring letter case."""
    words = text.casefold().split()
    return [row for row, own in enumerate(labels.searched) if all(word in own for word in words)] if words else []
