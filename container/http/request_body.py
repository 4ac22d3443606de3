"""Request bodies: reads them within limits of size, time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from container.http.errors import RETRY_AFTER, RequestError
from container.http.limits import MIB, Reservation

MAX_DIGITS = 18  # of a Content-Length


@dataclass(frozen=True)
class BodyLimits:
    """Limits of a request's body.

    Attributes:
        max_bytes: Most bytes of it.
        seconds: Within which it must arrive.
        setting: Name of the setting of max_bytes, for the message of the error; "" if there is none.
    """

    max_bytes: int
    seconds: float
    setting: str = ""


def media_type(headers: Mapping[str, str]) -> str:
    """A request's Content-Type in lower case without parameters. RequestError, 415, if the body is compressed."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError(415, f"Content-Encoding {encoding[:100]!r}: send the body as it is")
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_chunks(request: Request, limits: BodyLimits, held: Reservation) -> AsyncGenerator[bytes, None]:
    """A request's body as it arrives.

    Args:
        request: The request.
        limits: Of its size and time.
        held: The request's reservation of the capacity for bodies.

    Raises:
        RequestError: 413, the body is too large; 408, it did not arrive in time; 503, the capacity is used up.
    """
    length = request.headers.get("content-length", "")
    named = f" ({limits.setting})" if limits.setting else ""
    too_large = RequestError(
        413, f"the body has more than {limits.max_bytes / MIB:g} MiB, the most that is taken{named}"
    )
    if length.isdecimal() and (len(length) > MAX_DIGITS or int(length) > limits.max_bytes):
        raise too_large
    size = 0
    chunks = request.stream()
    end = asyncio.get_running_loop().time() + limits.seconds
    while True:
        try:
            async with asyncio.timeout_at(end):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise RequestError(408, f"the body did not come within {limits.seconds:g} s; {size:,} bytes came") from None
        if chunk is None:
            return
        size += len(chunk)
        if size > limits.max_bytes:
            raise too_large
        if not held.add(len(chunk)):
            raise RequestError(503, "too many bodies at a time", RETRY_AFTER)
        yield chunk


async def read_body(request: Request, limits: BodyLimits, held: Reservation) -> bytes:
    """A request's whole body. Arguments and errors are those of body_chunks."""
    return b"".join([chunk async for chunk in body_chunks(request, limits, held)])
