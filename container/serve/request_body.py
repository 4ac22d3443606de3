"""Request bodies: reads the encoded images of a request and the metadata sent with them."""

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

IMAGES = (
    "application/x-image",
    *(f"image/{kind}" for kind in ("jpeg", "jpg", "png", "webp", "bmp", "gif", "tiff")),
)
UNSPECIFIED = ("", "application/octet-stream", "*/*")  # what clients send if no type is set
MULTIPART = "multipart/form-data"
SUPPORTED = f"{', '.join(IMAGES)}, {JSON}, {LINES} or {MULTIPART}"
LIST_KEYS, IMAGE_KEYS = ("instances", "images"), ("image", "b64")
MAX_FIELDS, MAX_FIELD_PARTS = 100, 5_000  # different names of a form's fields, and fields in total
MAX_METADATA_BYTES = MIB  # of all metadata of a request as JSON, which is sent back
MAX_DEPTH = 100  # of nested lists and objects


@dataclass(frozen=True)
class Invocation:
    """The content of a request for predictions.

    Attributes:
        images: The encoded images, or an error instead of an image that cannot be decoded from its text.
        metadata: The metadata of each image.
        is_single: Whether the request is a single image, not a list with one image.
    """

    images: list[bytes | RequestError]
    metadata: list[dict[str, Any]]
    is_single: bool


def body_type(headers: Mapping[str, str]) -> str:
    """The media type of a request for predictions. RequestError, 415, if it is not supported."""
    content_type = media_type(headers)
    if content_type in UNSPECIFIED:
        return IMAGES[0]
    supported = (*IMAGES, JSON, LINES, MULTIPART)
    if content_type not in supported:
        nearest = did_you_mean(content_type[:100], supported)
        raise RequestError(415, f"Content-Type {content_type[:100]!r}: expected {SUPPORTED}{nearest}")
    return content_type


async def read_invocation(
    request: Request, content_type: str, chunks: AsyncGenerator[bytes, None], max_images: int
) -> Invocation:
    """Reads a request for predictions.

    Args:
        request: The request.
        content_type: The result of body_type.
        chunks: The parts of its body.
        max_images: Largest number of images allowed.

    Raises:
        RequestError: 400 or 422, the body does not match its type; 413, too many images or too much metadata.
    """
    if content_type == MULTIPART:
        return await _read_form(request.headers, chunks, max_images)
    body = b"".join([chunk async for chunk in chunks])
    if content_type not in (JSON, LINES):
        return Invocation([body], [{}], is_single=True)
    return await asyncio.to_thread(_parse_json if content_type == JSON else _parse_lines, body, max_images)


class _InMemoryParser(MultiPartParser):
    spool_max_size = 0  # never writes to a file: the size of the body is already limited


async def _read_form(headers: Headers, chunks: AsyncGenerator[bytes, None], max_images: int) -> Invocation:
    """Reads multipart/form-data. Files are images, other fields metadata: one value for all images, or one for each."""
    try:
        form = await _InMemoryParser(headers, chunks, max_files=max_images, max_fields=MAX_FIELD_PARTS).parse()
    except (MultiPartException, ValueError) as error:  # ValueError: a charset that is not a text encoding
        message = str(getattr(error, "message", error))
        if message.startswith("Too many files"):
            raise RequestError(413, f"more than {max_images:,} images, the most allowed in a request") from None
        raise RequestError(413 if message.startswith("Too many") else 400, f"not {MULTIPART}: {message}") from None
    return await asyncio.to_thread(_parse_form, form.multi_items())


def _parse_form(items: list[tuple[str, UploadFile | str]]) -> Invocation:
    images: list[bytes | RequestError] = []
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, UploadFile):
            images.append(value.file.read())
            value.file.close()
        else:
            fields.setdefault(name, []).append(value)
    if not images:
        raise RequestError(422, f"no image: {MULTIPART} has no part with a filename")
    if len(fields) > MAX_FIELDS:
        raise RequestError(413, f"{len(fields):,} fields with different names; at most {MAX_FIELDS:,} are allowed")
    for name, values in fields.items():
        if len(values) not in (1, len(images)):
            raise RequestError(422, f"the field {name} has {len(values)} values for {len(images)} images")
    shared = {name: values[0] for name, values in fields.items() if len(values) == 1}
    own = {name: values for name, values in fields.items() if len(values) > 1}
    metadata = [shared] * len(images)
    if own:
        metadata = [shared | {name: values[row] for name, values in own.items()} for row in range(len(images))]
    _check_size(metadata)
    return Invocation(images, metadata, is_single=len(images) == 1)


def _parse_json(body: bytes, max_images: int) -> Invocation:
    content = parse_json(body)
    if isinstance(content, dict) and not set(IMAGE_KEYS) & set(content):
        content = _image_list(content)
    is_single = not isinstance(content, list)
    items = [content] if is_single else content
    _check_number(len(items), max_images)
    return _decode_items(items, is_single)


def _parse_lines(body: bytes, max_images: int) -> Invocation:
    """Reads one item per line; empty lines are ignored. A body of one line is a single image."""
    refuse_many_values(body)
    lines = {number: line for number, line in enumerate(body.splitlines(), 1) if line.strip()}
    _check_number(len(lines), max_images)
    items = []
    for number, line in lines.items():
        try:
            items.append(parse_json(line))
        except RequestError as error:
            raise RequestError(error.status, f"line {number}: {error}") from None
    return _decode_items(items, is_single=len(items) == 1)


def _check_number(images: int, most: int) -> None:
    """RequestError if a request has no image, or more than the limit."""
    if not images:
        raise RequestError(422, "no image: the list is empty")
    if images > most:
        raise RequestError(413, f"{images:,} images; at most {most:,} are allowed in a request")


def _decode_items(items: list[Any], is_single: bool) -> Invocation:
    prefixes = ["" if is_single else f"image {row}: " for row in range(len(items))]
    pairs = [_decode_item(item, prefix) for item, prefix in zip(items, prefixes)]
    metadata = [entries for _, entries in pairs]
    for entries, prefix in zip(metadata, prefixes):
        if _is_nested_deeper(entries, MAX_DEPTH):
            raise RequestError(400, f"{prefix}metadata is nested more than {MAX_DEPTH} levels deep")
    _check_size(metadata)
    return Invocation([image for image, _ in pairs], metadata, is_single)


def _image_list(content: dict[str, Any]) -> Any:
    """The list in an object such as {"instances": [...]}."""
    keys = [name for name in LIST_KEYS if name in content]
    others = [name for name in content if name not in LIST_KEYS]
    if len(keys) != 1 or others or not isinstance(content[keys[0]], list):
        nearest = did_you_mean(others[0][:100], (*IMAGE_KEYS, *LIST_KEYS)) if others else ""
        have = listing([name[:100] for name in content]) or "nothing"
        expected = f"expected the key `{IMAGE_KEYS[0]}`, or `{LIST_KEYS[0]}` with a list"
        raise RequestError(422, f"{expected}; the object has {have}{nearest}")
    return content[keys[0]]


def _decode_item(item: Any, prefix: str) -> tuple[bytes | RequestError, dict[str, Any]]:
    """Decodes an item: base64 text, or an object with base64 text and metadata.

    Args:
        item: The item.
        prefix: Prefix of error messages, which says which image it is.

    Returns:
        The image, or an error if it is not base64; and its metadata.
    """
    metadata: dict[str, Any] = {}
    if isinstance(item, dict):
        keys = [name for name in IMAGE_KEYS if name in item]
        if len(keys) != 1:
            have = listing([name[:100] for name in item]) or "nothing"
            suggestions = (did_you_mean(name[:100], IMAGE_KEYS) for name in islice(item, MAX_FIELDS))
            nearest = next(filter(None, suggestions), "")
            expected = f"{prefix}expected the key `{IMAGE_KEYS[0]}`"
            raise RequestError(422, f"{expected}; the object has {have}{nearest}")
        metadata = {name: value for name, value in item.items() if name != keys[0]}
        item = item[keys[0]]
    if not isinstance(item, str):
        expected = f"{prefix}expected base64 text, or an object with base64 text as `{IMAGE_KEYS[0]}`"
        raise RequestError(422, f"{expected}, not {type(item).__name__}")
    text = item.partition(",")[2] if item.startswith("data:") else item
    try:
        return base64.b64decode("".join(text.split()), validate=True), metadata
    except (binascii.Error, ValueError) as error:
        return RequestError(400, f"not base64: {error}"), metadata


def _is_nested_deeper(content: Any, depth: int) -> bool:
    """Whether lists and objects are nested more than `depth` levels deep."""
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
    """RequestError, 413, if there is more metadata than allowed."""
    size = 0
    for entries in metadata:
        size += len(json_bytes(entries))
        if size > MAX_METADATA_BYTES:
            raise RequestError(413, f"the metadata is larger than {MAX_METADATA_BYTES / MIB:g} MiB")
