"""Limits of a request are checked before it is parsed: images, fields and metadata."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from container.http import json_body
from container.http.errors import RequestError
from container.serve import request_body
from container.serve.request_body import Invocation, read_invocation

FILE = b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n\r\n"


def field(name: object, value: str = "") -> bytes:
    return f"--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n".encode()


def read(kind: str, pieces: list[bytes], max_images: int = 512) -> Invocation:
    """Reads a request. pieces: of the body; pieces that were read are removed from the list."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        while pieces:
            yield pieces.pop(0)

    headers = Headers({"content-type": f"{kind}; boundary=x"})
    return asyncio.run(read_invocation(Request({"type": "http", "headers": headers.raw}), kind, chunks(), max_images))


def refused(*arguments: object, **more: int) -> RequestError:
    with pytest.raises(RequestError) as raised:
        read(*arguments, **more)
    return raised.value


def test_a_form_with_too_many_images_is_refused_while_it_arrives():
    pieces = [field("a", "1"), *[FILE] * 1000]
    error = refused(request_body.MULTIPART, pieces, max_images=20)
    assert error.status == 413 and "more than 20 images" in str(error) and len(pieces) > 900
    assert len(read(request_body.MULTIPART, [FILE] * 20 + [b"--x--\r\n"], max_images=20).images) == 20


def test_a_form_with_too_many_fields_is_refused():
    error = refused(request_body.MULTIPART, [FILE, *map(field, range(101)), b"--x--\r\n"])
    assert error.status == 413 and "101 fields" in str(error)
    pieces = [FILE, *[field("a")] * 9_000, b"--x--\r\n"]
    assert refused(request_body.MULTIPART, pieces).status == 413 and len(pieces) > 3_000


def test_a_single_form_field_belongs_to_all_images():
    both = read(request_body.MULTIPART, [FILE, FILE, field("a", "1"), b"--x--\r\n"]).metadata
    assert both == [{"a": "1"}] * 2 and both[0] is both[1]
    own = read(request_body.MULTIPART, [FILE, FILE, field("a", "1"), field("b", "2"), field("b", "3"), b"--x--\r\n"])
    assert own.metadata == [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}]


def test_a_list_with_too_many_images_is_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(request_body, "_decode_item", lambda *arguments: pytest.fail("it was decoded"))
    error = refused(request_body.JSON, [json.dumps(["AA=="] * 4).encode()], max_images=3)
    assert error.status == 413 and "4 images" in str(error)


def test_json_lines_have_one_image_per_line():
    lines = b'{"image": "AA==", "id": 7}\r\n\n"AQ=="\n'
    invocation = read(json_body.LINES, [lines[:9], lines[9:]])
    assert invocation == Invocation([b"\x00", b"\x01"], [{"id": 7}, {}], is_single=False)
    assert read(json_body.LINES, [b'"AQ=="']) == Invocation([b"\x01"], [{}], is_single=True)


@pytest.mark.parametrize(
    ("lines", "status", "message"),
    [
        (b'"AA=="\n\n{"image"', 400, "line 3: not JSON"),
        (b"\n", 422, "no image"),
        (b'"AA=="\n' * 4, 413, "4 images; at most 3 are allowed"),
        (b'"AA=="\n{"x": 1}', 422, "image 1: expected the key `image`; the object has x"),
        (b"[1,1]\n" * 2, 413, "the JSON has 4 values; at most 3 are allowed"),  # of all lines together
    ],
)
def test_errors_in_json_lines_name_the_line(lines, status, message, monkeypatch):
    monkeypatch.setattr(json_body, "MAX_VALUES", 3)
    error = refused(json_body.LINES, [lines], max_images=3)
    assert error.status == status and message in str(error)


def nested(depth: int) -> bytes:
    return b'[{"image": "AA==", "a": ' + b"[" * depth + b"1" + b"]" * depth + b"}]"


@pytest.mark.parametrize("depth", [100, 500, 900])
def test_deeply_nested_metadata_is_refused(depth):
    error = refused(request_body.JSON, [nested(depth)])
    assert error.status == 400 and "image 0: metadata is nested more than 100 levels deep" in str(error)


def test_metadata_may_be_nested_100_levels_deep():
    assert read(request_body.JSON, [nested(99)]).metadata[0]["a"][0][0]


@pytest.mark.parametrize("number", [1, 8])
def test_too_much_metadata_is_refused(number):
    """Metadata of all images counts once for each image, since it is sent back with each."""
    long = "ä" * (request_body.MAX_METADATA_BYTES // 2 // number)
    items = [{"image": "AA==", "a": long}] * number
    form = [*[FILE] * number, field("a", long), b"--x--\r\n"]
    for error in (refused(request_body.JSON, [json.dumps(items).encode()]), refused(request_body.MULTIPART, form)):
        assert error.status == 413 and "the metadata is larger than 1 MiB" in str(error)
    less = [{"image": "AA==", "a": long[:-20]}] * number
    assert len(read(request_body.JSON, [json.dumps(less).encode()]).metadata) == number


def test_only_some_of_many_unknown_keys_are_compared(monkeypatch):
    compared: list[str] = []
    monkeypatch.setattr(request_body, "did_you_mean", lambda name, known: compared.append(name) or "")
    error = refused(request_body.JSON, [json.dumps([{f"x{name}": 1 for name in range(5_000)}]).encode()])
    assert error.status == 422 and len(compared) <= 100
