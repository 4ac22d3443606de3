"""From a request to its pictures, in bytes, and what was sent beside them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from container.serve.errors import AGAIN, Refused
from container.serve.limits import MIB, Share
from container.serve.responses import json_bytes
from model.errors import did_you_mean, listing

PICTURES = (
    "application/x-image",
    *(f"image/{kind}" for kind in ("jpeg", "jpg", "png", "webp", "bmp", "gif", "tiff")),
)
UNTOLD = ("", "application/octet-stream", "*/*")  # what clients send that were told no type
JSON, MULTIPART = "application/json", "multipart/form-data"
TAKEN = f"{', '.join(PICTURES)}, {JSON} or {MULTIPART}"
LISTS, PICTURE = ("instances", "images"), ("image", "b64")
LONGEST_NUMBER = 18  # digits
MOST_VALUES = 200_000  # of a JSON body: each takes some 100 bytes of memory, however short it is
MOST_FIELDS, MOST_FIELD_PARTS = 100, 5_000  # names of a form's fields, and how often they come together
MOST_METADATA = MIB  # of a request, as JSON: it is handed back
DEEPEST = 100  # lists and objects in one another


@dataclass(frozen=True)
class Asked:
    """pictures: encoded, or why there is none; metadata: what was sent beside each; alone: one picture, not a list."""

    pictures: list[bytes | Refused]
    metadata: list[dict[str, Any]]
    alone: bool


def media_type(headers: Mapping[str, str]) -> str:
    """A request's Content-Type without parameters. Refused, 415, where it is not taken."""
    told = headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(415, f"Content-Encoding {encoding[:100]!r}: send the body as it is")
    if told in UNTOLD:
        return PICTURES[0]
    if told not in (*PICTURES, JSON, MULTIPART):
        close = did_you_mean(told[:100], (*PICTURES, JSON, MULTIPART))
        raise Refused(415, f"Content-Type {told[:100]!r}: expected {TAKEN}{close}")
    return told


async def body_pieces(request: Request, most: int, seconds: float, held: Share) -> AsyncGenerator[bytes, None]:
    """A request's body as it comes. Refused: 413 where it has more than `most` bytes, 408 where it has not come
    within so many seconds, 503 where the room for bodies is taken."""
    length = request.headers.get("content-length", "")
    too_large = Refused(413, f"the body has more than {most / MIB:g} MiB, the most that is taken (max_payload_mb)")
    if length.isdecimal() and (len(length) > LONGEST_NUMBER or int(length) > most):
        raise too_large
    size = 0
    pieces = request.stream()
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(end):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise Refused(408, f"the body did not come within {seconds:g} s; {size:,} bytes came") from None
        if piece is None:
            return
        size += len(piece)
        if size > most:
            raise too_large
        if not held.take(len(piece)):
            raise Refused(503, "too many bodies at a time", AGAIN)
        yield piece


async def read_asked(request: Request, kind: str, pieces: AsyncGenerator[bytes, None], most: int) -> Asked:
    """kind: what media_type told. Refused: 400 or 422 where a body is not what it says, 413 where it holds more than
    `most` pictures, or more beside them than is handed back."""
    if kind == MULTIPART:
        return await _form(request.headers, pieces, most)
    body = b"".join([piece async for piece in pieces])
    if kind != JSON:
        return Asked([body], [{}], alone=True)
    return await asyncio.to_thread(_json, body, most)


async def discard(request: Request, most: int = 64 * MIB, seconds: float = 2.0) -> None:
    """Reads on for a while, so that a client which sends first and listens then hears why it was refused."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                most -= len(piece)
                if most < 0:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: all of it was read
        return


class _InMemory(MultiPartParser):
    spool_max_size = 0  # never to a file: the body's size is bounded already


async def _form(headers: Headers, pieces: AsyncGenerator[bytes, None], most: int) -> Asked:
    """Its files are the pictures, its other fields what belongs to them: one for all, or one for each in order."""
    try:
        form = await _InMemory(headers, pieces, max_files=most, max_fields=MOST_FIELD_PARTS).parse()
    except (MultiPartException, ValueError) as error:  # ValueError: of a charset that Python knows but not for text
        told = str(getattr(error, "message", error))
        if told.startswith("Too many files"):
            raise Refused(413, f"more than {most:,} pictures, the most that are taken at a time") from None
        raise Refused(413 if told.startswith("Too many") else 400, f"not {MULTIPART}: {told}") from None
    return await asyncio.to_thread(_of_form, form.multi_items())


def _of_form(items: list[tuple[str, UploadFile | str]]) -> Asked:
    pictures: list[bytes | Refused] = []
    fields: dict[str, list[str]] = {}
    for name, value in items:
        if isinstance(value, UploadFile):
            pictures.append(value.file.read())
            value.file.close()
        else:
            fields.setdefault(name, []).append(value)
    if not pictures:
        raise Refused(422, f"no picture: {MULTIPART} has no part with a filename", read=True)
    if len(fields) > MOST_FIELDS:
        raise Refused(413, f"{len(fields):,} fields, more than {MOST_FIELDS:,} names that are taken", read=True)
    for name, values in fields.items():
        if len(values) not in (1, len(pictures)):
            raise Refused(422, f"{name} comes {len(values)} times beside {len(pictures)} pictures", read=True)
    shared = {name: values[0] for name, values in fields.items() if len(values) == 1}
    own = {name: values for name, values in fields.items() if len(values) > 1}
    metadata = [shared] * len(pictures)
    if own:
        metadata = [shared | {name: values[row] for name, values in own.items()} for row in range(len(pictures))]
    _check_size(metadata)
    return Asked(pictures, metadata, alone=len(pictures) == 1)


def _json(body: bytes, most: int) -> Asked:
    number = sum(map(body.count, (b",", b"[", b"{")))
    if number > MOST_VALUES:
        raise Refused(413, f"the JSON has {number:,} values, more than {MOST_VALUES:,}", read=True)
    try:
        content = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not JSON: {error}", read=True) from None
    if isinstance(content, dict) and not set(PICTURE) & set(content):
        content = _listed(content)
    alone = not isinstance(content, list)
    items = [content] if alone else content
    if not items:
        raise Refused(422, "no picture: the list is empty", read=True)
    if len(items) > most:
        raise Refused(413, f"{len(items):,} pictures, more than {most:,} that are taken at a time", read=True)
    found = [_picture(item, "" if alone else f"picture {place}: ") for place, item in enumerate(items)]
    metadata = [beside for _, beside in found]
    for place, beside in enumerate(metadata):
        if _deeper(beside, DEEPEST):
            where = "" if alone else f"picture {place}: "
            raise Refused(400, f"{where}metadata are nested more than {DEEPEST} deep", read=True)
    _check_size(metadata)
    return Asked([picture for picture, _ in found], metadata, alone)


def _listed(content: dict[str, Any]) -> Any:
    named = [name for name in LISTS if name in content]
    others = [name for name in content if name not in LISTS]
    if len(named) != 1 or others or not isinstance(content[named[0]], list):
        close = did_you_mean(others[0][:100], (*PICTURE, *LISTS)) if others else ""
        have = listing([name[:100] for name in content]) or "nothing"
        raise Refused(422, f"expected `{PICTURE[0]}`, or a list as `{LISTS[0]}`; there is {have}{close}", read=True)
    return content[named[0]]


def _picture(item: Any, where: str) -> tuple[bytes | Refused, dict[str, Any]]:
    """An item's picture, from base64 text or an object with it, and the object's other entries."""
    metadata: dict[str, Any] = {}
    if isinstance(item, dict):
        named = [name for name in PICTURE if name in item]
        if len(named) != 1:
            have = listing([name[:100] for name in item]) or "nothing"
            compared = (did_you_mean(name[:100], PICTURE) for name in islice(item, MOST_FIELDS))
            close = next(filter(None, compared), "")
            raise Refused(422, f"{where}expected `{PICTURE[0]}` in the object; there is {have}{close}", read=True)
        metadata = {name: value for name, value in item.items() if name != named[0]}
        item = item[named[0]]
    if not isinstance(item, str):
        kind = type(item).__name__
        raise Refused(
            422, f"{where}expected base64 text, or an object with it as `{PICTURE[0]}`, not {kind}", read=True
        )
    text = item.partition(",")[2] if item.startswith("data:") else item
    try:
        return base64.b64decode("".join(text.split()), validate=True), metadata
    except (binascii.Error, ValueError) as error:
        return Refused(400, f"not base64: {error}", read=True), metadata


def _deeper(content: Any, most: int) -> bool:
    """Whether more than so many lists and objects lie in one another."""
    level = [content]
    for _ in range(most + 1):
        level = [
            inner
            for holder in level
            if isinstance(holder, (list, dict))
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
    return bool(level)


def _check_size(metadata: Iterable[dict[str, Any]]) -> None:
    """Refused, 413, where they are more than is handed back."""
    size = 0
    for beside in metadata:
        size += len(json_bytes(beside))
        if size > MOST_METADATA:
            raise Refused(413, f"metadata of more than {MOST_METADATA / MIB:g} MiB", read=True)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:50]} is too large a number")
    return number
