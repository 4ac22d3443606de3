"""The forms of an answer: which of them a request accepts, and how each is written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from container.serve.errors import Refused
from model.labels import Scheme

if TYPE_CHECKING:
    import numpy as np

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
VERBOSE = "verbose"
OFFERED = f"{JSON}, {JSON};{VERBOSE}, {LINES}, {LINES};{VERBOSE} or {CSV}"


@dataclass(frozen=True)
class Form:
    """media_type: JSON, LINES or CSV; verbose: names beside the probabilities."""

    media_type: str
    verbose: bool = False


@dataclass(frozen=True)
class Answer:
    """One picture's: probabilities, float32 (classes,), or why there are none; what was sent beside the picture."""

    probabilities: np.ndarray | None
    error: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def accepted(headers: Sequence[str], default: str) -> Form:
    """The form that a request's Accept headers (RFC 9110, 12.5.1) like best of those that are offered; default where
    they are empty or take any. A range says nothing of what another names more closely. Refused, 406, where they take
    none."""
    header = ", ".join(filter(str.strip, headers))
    _, own_type, own_parameters = next(_ranges(default))
    own = Form(own_type, VERBOSE in own_parameters)
    ranges = list(_ranges(header or default))
    named = {media_type for _, media_type, _ in ranges}
    for quality, media_type, parameters in sorted(ranges, key=lambda found: -found[0]):
        if quality <= 0:
            break
        if media_type in (JSON, LINES, CSV):
            return Form(media_type, VERBOSE in parameters)
        for form in (own, Form(JSON), Form(CSV)):
            closest = [form.media_type, f"{form.media_type.partition('/')[0]}/*", "*/*"]
            if media_type == next((one for one in closest if one in named), None):
                return form
    raise Refused(406, f"Accept {header[:200]!r}: answers are {OFFERED}")


def _ranges(header: str) -> Iterator[tuple[float, str, list[str]]]:
    """(quality, media type, its other parameters) of each part of an Accept header."""
    for part in header.split(","):
        media_type, *parameters = [word.strip().lower() for word in part.split(";")]
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if media_type:
            yield quality, media_type, parameters


def written(answers: Sequence[Answer], alone: bool, form: Form, scheme: Scheme) -> bytes:
    """An answer's body. alone: the one picture of a request, not a list."""
    if form.media_type == CSV:
        return _csv(answers, scheme)
    told = [_told(answer, form.verbose, scheme) for answer in answers]
    if form.media_type == LINES:
        return b"".join(json_bytes(one) + b"\n" for one in told)
    return json_bytes(told[0] if alone else {"predictions": told})


def _told(answer: Answer, verbose: bool, scheme: Scheme) -> dict[str, Any]:
    told: dict[str, Any]
    if answer.probabilities is None:
        told = {"error": answer.error}
    else:
        told = {"probabilities": _numbers(answer.probabilities)}
        if verbose:
            best = int(answer.probabilities.argmax())
            codes = scheme.split(best)
            told["labels"] = scheme.class_names
            told["predicted_label"] = scheme.class_names[best]
            told["attributes"] = {of.name: of.values[codes[of.name]] for of in scheme.attributes}
    return {**told, "metadata": answer.metadata} if answer.metadata else told


def _csv(answers: Sequence[Answer], scheme: Scheme) -> bytes:
    """A line a picture, its probabilities in the classes' order and no header; for a picture that could not be read
    as many empty cells and the reason behind them."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for answer in answers:
        if answer.probabilities is None:
            rows.writerow([*[""] * scheme.num_classes, answer.error])
        else:
            rows.writerow(_numbers(answer.probabilities))
    return text.getvalue().encode("utf-8", "replace")


def _numbers(probabilities: np.ndarray) -> list[float]:
    """With the digits of probabilities.csv."""
    return [float(f"{value:.7g}") for value in probabilities.tolist()]


def json_bytes(content: Any) -> bytes:
    """JSON in UTF-8; half a surrogate pair, which UTF-8 has no form for, stays escaped."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, allow_nan=False).encode("ascii")
