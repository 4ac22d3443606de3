"""Response bodies: the supported formats, which of them a request accepts, and how they are encoded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from container.http.errors import RequestError
from container.http.json_body import JSON, LINES, json_bytes
from model.answers.files import ASK_PERSON
from model.atomic_write import LineFeeds
from model.attributes import number_column
from model.decisions import Decision
from model.labels import Scheme

if TYPE_CHECKING:
    import numpy as np

CSV = "text/csv"
VERBOSE = "verbose"
OFFERED = f"{JSON}, {JSON};{VERBOSE}, {LINES}, {LINES};{VERBOSE} or {CSV}"


@dataclass(frozen=True)
class ResponseFormat:
    """A format of responses.

    Attributes:
        media_type: JSON, LINES or CSV.
        verbose: Whether it has class names and attributes in addition to probabilities.
    """

    media_type: str
    verbose: bool = False


class ImagePrediction(NamedTuple):
    """What a model predicts for one image.

    Attributes:
        probabilities: float32 (classes,).
        numbers: Estimated numbers by the name of their attribute.
    """

    probabilities: np.ndarray
    numbers: Mapping[str, float] = {}


@dataclass(frozen=True)
class Answer:
    """The answer for one image.

    Attributes:
        probabilities: float32 (classes,); None if the image cannot be read.
        error: Why it cannot be read.
        metadata: The metadata that was sent with the image.
        numbers: Estimated numbers by the name of their attribute.
    """

    probabilities: np.ndarray | None
    error: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


def negotiate_format(headers: Sequence[str], default: str) -> ResponseFormat:
    """The supported format that a request prefers (content negotiation, RFC 9110, 12.5.1).

    The most specific media range applies to a type: text/csv before text/*, and that before */*.

    Args:
        headers: The request's Accept headers.
        default: The format if they are empty or accept any.

    Raises:
        RequestError: 406, they accept none of the formats.
    """
    header = ", ".join(filter(str.strip, headers))
    _, own_type, own_parameters = next(_ranges(default))
    own = ResponseFormat(own_type, VERBOSE in own_parameters)
    ranges = list(_ranges(header or default))
    named = {media_type for _, media_type, _ in ranges}
    for quality, media_type, parameters in sorted(ranges, key=lambda entry: -entry[0]):
        if quality <= 0:
            break
        if media_type in (JSON, LINES, CSV):
            return ResponseFormat(media_type, VERBOSE in parameters)
        for offered in (own, ResponseFormat(JSON), ResponseFormat(CSV)):
            closest_first = [offered.media_type, f"{offered.media_type.partition('/')[0]}/*", "*/*"]
            if media_type == next((range_ for range_ in closest_first if range_ in named), None):
                return offered
    raise RequestError(406, f"Accept {header[:200]!r} is not supported; expected {OFFERED}")


def _ranges(header: str) -> Iterator[tuple[float, str, list[str]]]:
    """Yields (quality, media type, its other parameters) of each media range in an Accept header."""
    for part in header.split(","):
        media_type, *parameters = [text.strip().lower() for text in part.split(";")]
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


def encode_answers(
    answers: Sequence[Answer], is_single: bool, response_format: ResponseFormat, scheme: Scheme, decision: Decision
) -> bytes:
    """Encodes the body of a response.

    Args:
        answers: The answers for the images of the request.
        is_single: Whether the request was a single image, not a list with one image.
        response_format: The format that it accepts.
        scheme: The labels of the classes.
        decision: The rule that chooses the predicted class of a verbose response.
    """
    if response_format.media_type == CSV:
        return _csv(answers, scheme)
    objects = [_json_object(answer, response_format.verbose, scheme, decision) for answer in answers]
    if response_format.media_type == LINES:
        return b"".join(json_bytes(content) + b"\n" for content in objects)
    return json_bytes(objects[0] if is_single else {"predictions": objects})


def _json_object(answer: Answer, verbose: bool, scheme: Scheme, decision: Decision) -> dict[str, Any]:
    content: dict[str, Any]
    if answer.probabilities is None:
        content = {"error": answer.error}
    else:
        content = {"probabilities": _rounded(answer.probabilities)}
        if verbose:
            best = int(decision.classes(answer.probabilities))
            codes = scheme.split(best)
            content["labels"] = scheme.class_names
            content["predicted_label"] = scheme.class_names[best]
            content["attributes"] = {
                attribute.name: attribute.values[codes[attribute.name]] for attribute in scheme.attributes
            }
            content |= {number_column(name): float(f"{value:.7g}") for name, value in answer.numbers.items()}
            if decision.can_ask:
                content[ASK_PERSON] = bool(decision.asks(answer.probabilities))
    return {**content, "metadata": answer.metadata} if answer.metadata else content


def _csv(answers: Sequence[Answer], scheme: Scheme) -> bytes:
    """A line per image with its probabilities in the order of the classes, without a header. An image that cannot be
    read has as many empty cells and then the reason."""
    text = io.StringIO()
    rows = csv.writer(LineFeeds(text), lineterminator="\r\n")
    for answer in answers:
        if answer.probabilities is None:
            rows.writerow([*[""] * scheme.num_classes, answer.error])
        else:
            rows.writerow(_rounded(answer.probabilities))
    return text.getvalue().encode("utf-8", "replace")


def _rounded(probabilities: np.ndarray) -> list[float]:
    """Probabilities rounded as in probabilities.csv."""
    return [float(f"{value:.7g}") for value in probabilities.tolist()]
