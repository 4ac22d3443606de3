"""JSON bodies: parses requests and encodes responses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from container.http.errors import RequestError

JSON, LINES = "application/json", "application/jsonlines"
MAX_VALUES = 200_000  # each takes about 100 bytes of memory, even if it is short


def json_bytes(content: Any) -> bytes:
    """Encodes JSON as UTF-8. A lone surrogate, which UTF-8 cannot encode, stays escaped."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, allow_nan=False).encode("ascii")


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with JSON as its body."""
    return Response(json_bytes(content), status, headers, JSON)


def parse_json(body: bytes) -> Any:
    """Parses a body.

    Raises:
        RequestError: 413, it has more than MAX_VALUES values; 400, it is not JSON, or has a number that JSON does not
            allow, such as NaN.
    """
    refuse_many_values(body)
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_float=_finite_float)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"not JSON: {error}") from None


def refuse_many_values(body: bytes) -> None:
    """RequestError, 413, if a JSON body has more than MAX_VALUES values."""
    values = sum(map(body.count, (b",", b"[", b"{")))
    if values > MAX_VALUES:
        raise RequestError(413, f"the JSON has {values:,} values; at most {MAX_VALUES:,} are allowed")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"JSON does not allow the number {text}")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:50]} is too large")
    return number
