"""Checks of single values that are more than a choice or a bound; each yields sentences for `contradictions`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from encodings.aliases import aliases

from model.errors import did_you_mean


def unknown_encoding(encoding: str) -> Iterator[str]:
    """A sentence if Python has no text encoding of that name."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        known = sorted({*aliases, *aliases.values()})
        yield f"encoding {encoding!r} is unknown; expected utf-8, cp1252, cp949, ...{did_you_mean(encoding, known)}"


def invalid_group_pattern(pattern: str) -> Iterator[str]:
    """A sentence if a regular expression is invalid or has no group."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        yield f"group_pattern {pattern!r} is not a valid regular expression: {error}"
        return
    if not groups:
        example = "'([^/]+)_[0-9]+'"
        advice = f"put the part of the pattern that matches the group's name in parentheses, as in {example}"
        yield f"group_pattern {pattern!r} has no group; {advice}"
