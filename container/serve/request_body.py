"""Request bodies: reads a request's images, as encoded bytes, and the metadata sent with them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from container.http.errors import RequestError
from container.http.json_body import JSON, LINES, json_bytes, parse_json, refuse_many_values
from container.http.limits import MIB
from container.http.request_body import media_type
from model.errors import did_you_mean, listing

PICTURES = (
    "application/x-image",
    *(f"image/{kind}" for kind in ("jpeg", "jpg", "png", "webp", "bmp", "gif", "tiff")),
)
UNSPECIFIED = ("", "application/octet-stream", "*/*")  # what clients send if nobody sets a type
MULTIPART = "multipart/form-data"
SUPPORTED = f"{', '.join(PICTURES)}, {JSON}, {LINES} or {MULTIPART}"
LIST_KEYS, PICTURE_KEYS = ("instances", "images"), ("image", "b64")
MAX_FIELDS, MAX_FIELD_PARTS = 100, 5_000  # names of a form's fields, and parts with them
MAX_METADATA_BYTES = MIB  # of a request, as JSON: it is sent back
MAX_DEPTH = 100  # of nested lists and objects


@dataclass(frozen=True)
class Invocation:
    """The content of a request for predictions.

    Attributes:
        images: The encoded images, or the error of each that has none.
        metadata: What was sent with each image.
        is_single: Whether it is one image, not a list of one.
    """

    pictures: list[bytes | RequestError]
    metadata: list[dict[str, Any]]
    is_single: bool


def body_type(headers: Mapping[str, str]) -> str:
    """The media type of a request for predictions. RequestError, 415, if it is not supported."""
    content_type = media_type(headers)
    if content_type in UNSPECIFIED:
        return PICTURES[0]
    supported = (*PICTURES, JSON, LINES, MULTIPART)
    if content_type not in supported:
        nearest = did_you_mean(content_type[:100], supported)
        raise RequestError(415, f"Content-Type {content_type[:100]!r}: expected {SUPPORTED}{nearest}")
    return content_type


async def read_invocation(
    request: Request, content_type: str, chunks: AsyncGenerator[bytes, None], max_pictures: int
) -> Invocation:
    """Reads a request for predictions.

    Args:
        request: The request.
        content_type: Its body_type.
        chunks: Its body.
        max_pictures: Most images in it.

    Raises:
        RequestError: 400 or 422, the body is not what its type says; 413, too many images, or too much metadata.
    """
    if content_type == MULTIPART:
        return await _read_form(request.headers, chunks, max_pictures)
    body = b"".join([chunk async for chunk in chunks])
    if content_type not in (JSON, LINES):
        return Invocation([body], [{}], is_single=True)
    return await asyncio.to_thread(_parse_json if content_type == JSON else _parse_lines, body, max_pictures)


class _InMemoryParser(MultiPartParser):
    spool_max_size = 0  # never to a file: the body's size is bounded already


async def _read_form(headers: Headers, chunks: AsyncGenerator[bytes, None], max_pictures: int) -> Invocation:
    """Reads multipart/form-data: files are images, other fields metadata, one for all or one for each in order."""
    try:
        form = await _InMemoryParser(headers, chunks, max_files=max_pictures, max_fields=MAX_FIELD_PARTS).parse()
    except (MultiPartException, ValueError) as error:  # ValueError: a charset that is a codec but not of text
        message = str(getattr(error, "message", error))
        if message.startswith("Too many files"):
            raise RequestError(413, f"more than {max_pictures:,} images, the most that are taken at a time") from None
        raise RequestError(413 if message.startswith("Too many") else 400, f"not {MULTIPART}: {message}") from None
    return await asyncio.to_thread(_parse_form, form.multi_items())


def _parse_form(items: list[tuple[str, UploadFile | str]]) -> Invocation:
    pictures: list[bytes | RequestError] = []
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, UploadFile):
            pictures.append(value.file.read())
            value.file.close()
        else:
            fields.setdefault(name, []).append(value)
    if not pictures:
        raise RequestError(422, f"no image: {MULTIPART} has no part with a filename")
    if len(fields) > MAX_FIELDS:
        raise RequestError(413, f"{len(fields):,} fields, more than {MAX_FIELDS:,} names that are taken")
    for name, values in fields.items():
        if len(values) not in (1, len(pictures)):
            raise RequestError(422, f"{name} comes {len(values)} times beside {len(pictures)} images")
    shared = {name: values[0] for name, values in fields.items() if len(values) == 1}
    own = {name: values for name, values in fields.items() if len(values) > 1}
    metadata = [shared] * len(pictures)
    if own:
        metadata = [shared | {name: values[row] for name, values in own.items()} for row in range(len(pictures))]
    _check_size(metadata)
    return Invocation(pictures, metadata, is_single=len(pictures) == 1)


def _parse_json(body: bytes, max_pictures: int) -> Invocation:
    content = parse_json(body)
    if isinstance(content, dict) and not set(PICTURE_KEYS) & set(content):
        content = _picture_list(content)
    is_single = not isinstance(content, list)
    items = [content] if is_single else content
    _check_number(len(items), max_pictures)
    return _decode_items(items, is_single)


def _parse_lines(body: bytes, max_pictures: int) -> Invocation:
    """Reads an item a line; empty lines are left out. One line is one image."""
    refuse_many_values(body)
    lines = {number: line for number, line in enumerate(body.splitlines(), 1) if line.strip()}
    _check_number(len(lines), max_pictures)
    items = []
    for number, line in lines.items():
        try:
            items.append(parse_json(line))
        except RequestError as error:
            raise RequestError(error.status, f"line {number}: {error}") from None
    return _decode_items(items, is_single=len(items) == 1)


def _check_number(pictures: int, most: int) -> None:
    """RequestError if a request has no image, or more than are taken."""
    if not pictures:
        raise RequestError(422, "no image: the list is empty")
    if pictures > most:
        raise RequestError(413, f"{pictures:,} images, more than {most:,} that are taken at a time")


def _decode_items(items: list[Any], is_single: bool) -> Invocation:
    prefixes = ["" if is_single else f"image {row}: " for row in range(len(items))]
    pairs = [_decode_item(item, prefix) for item, prefix in zip(items, prefixes)]
    metadata = [entries for _, entries in pairs]
    for entries, prefix in zip(metadata, prefixes):
        if _is_nested_deeper(entries, MAX_DEPTH):
            raise RequestError(400, f"{prefix}metadata are nested more than {MAX_DEPTH} deep")
    _check_size(metadata)
    return Invocation([picture for picture, _ in pairs], metadata, is_single)


def _picture_list(content: dict[str, Any]) -> Any:
    """The list in an object of the form {"instances": [...]}."""
    keys = [name for name in LIST_KEYS if name in content]
    others = [name for name in content if name not in LIST_KEYS]
    if len(keys) != 1 or others or not isinstance(content[keys[0]], list):
        nearest = did_you_mean(others[0][:100], (*PICTURE_KEYS, *LIST_KEYS)) if others else ""
        have = listing([name[:100] for name in content]) or "nothing"
        expected = f"expected `{PICTURE_KEYS[0]}`, or a list as `{LIST_KEYS[0]}`"
        raise RequestError(422, f"{expected}; there is {have}{nearest}")
    return content[keys[0]]


def _decode_item(item: Any, prefix: str) -> tuple[bytes | RequestError, dict[str, Any]]:
    """An item's image, from base64 text or an object with it, and the object's other entries. prefix: of messages."""
    metadata: dict[str, Any] = {}
    if isinstance(item, dict):
        keys = [name for name in PICTURE_KEYS if name in item]
        if len(keys) != 1:
            have = listing([name[:100] for name in item]) or "nothing"
            suggestions = (did_you_mean(name[:100], PICTURE_KEYS) for name in islice(item, MAX_FIELDS))
            nearest = next(filter(None, suggestions), "")
            expected = f"{prefix}expected `{PICTURE_KEYS[0]}` in the object"
            raise RequestError(422, f"{expected}; there is {have}{nearest}")
        metadata = {name: value for name, value in item.items() if name != keys[0]}
        item = item[keys[0]]
    if not isinstance(item, str):
        expected = f"{prefix}expected base64 text, or an object with it as `{PICTURE_KEYS[0]}`"
        raise RequestError(422, f"{expected}, not {type(item).__name__}")
    text = item.partition(",")[2] if item.startswith("data:") else item
    try:
        return base64.b64decode("".join(text.split()), validate=True), metadata
    except (binascii.Error, ValueError) as error:
        return RequestError(400, f"not base64: {error}"), metadata


def _is_nested_deeper(content: Any, depth: int) -> bool:
    """Whether lists and objects are nested more than so deep."""
    level = [content]
    for _ in range(depth + 1):
        level = [
            value
            for container in level
            if isinstance(container, (list, dict))
            for value in (container.values() if isinstance(container, dict) else container)
        ]
    return bool(level)


def _check_size(metadata: Iterable[dict[str, Any]]) -> None:
    """RequestError, 413, if there is more metadata than is sent back."""
    size = 0
    for entries in metadata:
        size += len(json_bytes(entries))
        if size > MAX_METADATA_BYTES:
            raise RequestError(413, f"metadata of more than {MAX_METADATA_BYTES / MIB:g} MiB")
