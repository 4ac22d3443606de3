"""Checks the body of POST /api/decisions and makes the decision of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from container.http.errors import RequestError
from exploration.review.queues import GROUP
from exploration.review.review_data import ReviewData
from model.attributes import Attribute, normal_text
from model.data.corrections import ACTIONS, DELETE, RELABEL, Correction
from model.errors import did_you_mean, listing
from model.label_values import is_quantity

FIELDS = ("item", "row", "group", "attribute", "action", "value", "reviewer", "after", "window", "source", "version")
MAX_TEXT = 200  # characters of a name


@dataclass(frozen=True)
class Posted:
    """A decision that a page has sent.

    Attributes:
        decision: The decision, without number.
        item: The item of the queue on which it was made; None if it was made elsewhere.
        after: Number of the last row that the window has seen; None if it did not say so.
        window: The name that the window gave itself.
    """

    decision: Correction
    item: int | None
    after: int | None
    window: str


def posted_decision(body: Any, data: ReviewData, time: str) -> Posted:
    """Checks a body and makes the decision of it.

    Args:
        body: The parsed JSON.
        data: The review.
        time: The time of the decision.

    Raises:
        RequestError: 400; names the first field that is invalid, its value and what was expected.
    """
    if not isinstance(body, Mapping):
        raise RequestError(400, "expected a JSON object")
    for name in body:
        if name not in FIELDS:
            raise RequestError(400, f"unknown field {name[:50]!r}{did_you_mean(name[:50], FIELDS)}")
    if _text(body, "version") not in ("", data.version):
        raise RequestError(400, "this page shows other images than the server has now; reload the page")
    labels = data.labels
    row = _number(body, "row", len(labels.paths))
    item = _number(body, "item", len(data.items))
    group = _text(body, "group")
    if row is None and not group:
        raise RequestError(400, "row or group must be given")
    if group and group not in labels.rows_of:
        raise RequestError(400, f"group {group[:50]!r}: there is no such group")
    if row is not None and group and labels.groups[row] != group:
        raise RequestError(400, f"row {row} is in group {labels.groups[row]!r}, not in {group[:50]!r}")
    attribute, action, value = _verdict(body, data)
    path = "" if row is None else labels.paths[row]
    group = group if row is None else labels.groups[row]
    rows = labels.rows_of[group] if row is None else [row]
    decision = Correction(
        path=path,
        group=group,
        attribute=attribute,
        action=action,
        value=value,
        given="" if action == DELETE else _given(data, item, rows, attribute, row is None),
        reviewer=_text(body, "reviewer") or data.reviewer,
        time=time,
        source=_text(body, "source") or data.source,
    )
    return Posted(decision, item, _number(body, "after", None), _text(body, "window"))


def _verdict(body: Mapping[str, Any], data: ReviewData) -> tuple[str, str, str]:
    """Attribute, action and value of a body."""
    scheme = data.labels.table.scheme
    attribute, action, value = _text(body, "attribute"), _text(body, "action"), _text(body, "value")
    if action not in ACTIONS:
        raise RequestError(400, f"action {action!r}, expected one of {listing(ACTIONS)}{did_you_mean(action, ACTIONS)}")
    if attribute and attribute not in scheme.names:
        near = did_you_mean(attribute, scheme.names)
        raise RequestError(400, f"attribute {attribute!r}, expected one of {listing(scheme.names)}{near}")
    if action == DELETE and attribute:
        raise RequestError(400, f"attribute {attribute!r}: delete is about the whole image; expected an empty text")
    if action == RELABEL and not attribute:
        raise RequestError(400, f"attribute is missing; expected one of {listing(scheme.names)}")
    if action != RELABEL and value:
        raise RequestError(400, f"value {value!r}: only relabel has a value")
    return attribute, action, _label(scheme.attribute(attribute), value) if action == RELABEL else ""


def _label(attribute: Attribute, value: str) -> str:
    """The label as corrections.csv has it: the name of the class, or a number for an attribute with cuts."""
    if attribute.cuts and is_quantity(value) and value not in attribute.values:
        return value
    code = attribute.lookup.code(value)
    if code is None:
        expected = f"a number or one of {listing(attribute.values)}" if attribute.cuts else listing(attribute.values)
        near = did_you_mean(value, attribute.values)
        raise RequestError(400, f"value {value!r} of {attribute.name}, expected {expected}{near}")
    return attribute.values[code]


def _given(data: ReviewData, item: int | None, rows: list[int], attribute: str, is_group: bool) -> str:
    """The label that was reviewed: that of the item if the decision is about it, otherwise that of the images."""
    if item is not None:
        own = data.items[item]
        if own.attribute == attribute and own.level == GROUP and is_group and list(own.images) == rows:
            return own.given
    return data.labels.shared(rows, attribute)


def _number(body: Mapping[str, Any], name: str, end: int | None) -> int | None:
    """A whole number of a body, None if it is missing or null. end: it must be smaller."""
    number = body.get(name)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise RequestError(400, f"{name} {str(number)[:50]!r}, expected a whole number from 0")
    if end is not None and number >= end:
        raise RequestError(400, f"{name} {str(number)[:50]}, expected at most {end - 1}")
    return number


def _text(body: Mapping[str, Any], name: str) -> str:
    """A text of a body in normal form, "" if it is missing or null."""
    text = body.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise RequestError(400, f"{name} {str(text)[:50]!r}, expected a text")
    is_name = name != "group"  # groups come from the channel, whatever they contain
    if is_name and (len(text) > MAX_TEXT or any(not (char.isprintable()) for char in text)):
        raise RequestError(400, f"{name}: expected at most {MAX_TEXT} printable characters")
    return normal_text(text) if is_name else text
