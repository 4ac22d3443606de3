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
    """Limits of a request body.

    Attributes:
        max_bytes: Largest size.
        seconds: Longest time until it has arrived.
        setting: The setting of max_bytes, for the error message; "" if there is none.
    """

    max_bytes: int
    seconds: float
    setting: str = ""


def media_type(headers: Mapping[str, str]) -> str:
    """A request's Content-Type in lower case without parameters. RequestError, 415, if the body is compressed."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError(415, f"Content-Encoding {encoding[:100]!r}: send the body uncompressed")
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_chunks(request: Request, limits: BodyLimits, held: Reservation) -> AsyncGenerator[bytes, None]:
    """Yields the parts of a request body as they arrive.

    Args:
        request: The request.
        limits: Limits of size and time.
        held: The request's reservation of the capacity for bodies.

    Raises:
        RequestError: 413, the body is too large; 408, it did not arrive in time; 503, the capacity is used up.
    """
    length = request.headers.get("content-length", "")
    named = f" ({limits.setting})" if limits.setting else ""
    too_large = RequestError(
        413, f"the body is larger than {limits.max_bytes / MIB:g} MiB, the largest size allowed{named}"
    )
    if length.isdecimal() and (len(length) > MAX_DIGITS or int(length) > limits.max_bytes):
        raise too_large
    # read part by part, all within one time limit
    size = 0
    chunks = request.stream()
    end = asyncio.get_running_loop().time() + limits.seconds
    while True:
        try:
            async with asyncio.timeout_at(end):
                chunk = await anext(chunks, None)
        except TimeoutError:
            received = f"{size:,} bytes were received"
            raise RequestError(408, f"the body did not arrive within {limits.seconds:g} s; {received}") from None
        if chunk is None:
            return
        size += len(chunk)
        if size > limits.max_bytes:
            raise too_large
        if not held.add(len(chunk)):
            raise RequestError(503, "the server is reading too many request bodies", RETRY_AFTER)
        yield chunk


async def read_body(request: Request, limits: BodyLimits, held: Reservation) -> bytes:
    """Reads a whole request body. Arguments and errors are those of body_chunks."""
    return b"".join([chunk async for chunk in body_chunks(request, limits, held)])
