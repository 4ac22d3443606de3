"""JSON bodies: requests are checked before they are parsed, responses are UTF-8."""

from __future__ import annotations

import pytest

from container.http.errors import RequestError
from container.http.json_body import json_bytes, json_response, parse_json


def test_a_lone_surrogate_stays_escaped_and_other_text_does_not():
    assert json_bytes({"a": "\u00e4"}) == '{"a": "\u00e4"}'.encode()
    assert json_bytes({"a": "\ud800"}) == b'{"a": "\\ud800"}'


def test_a_response_has_its_type_and_status():
    response = json_response([1], 201, {"A": "b"})
    assert (response.status_code, response.body, response.headers["a"]) == (201, b"[1]", "b")
    assert response.headers["content-type"] == "application/json"


def test_json_is_parsed():
    assert parse_json('{"ä": [1, 2.5, null]}'.encode()) == {"ä": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[NaN]", 400, "JSON does not allow the number NaN"),
        (b"1e999", 400, "the number 1e999 is too large"),
        (b"[" + b"1," * 200_000 + b"1]", 413, "200,001 values"),
    ],
)
def test_invalid_json_is_refused(body, status, message):
    with pytest.raises(RequestError, match=message) as raised:
        parse_json(body)
    assert raised.value.status == status
