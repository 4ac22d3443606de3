"""LingeringCloseMiddleware: closes connections whose request is answered before its body has arrived.

If a server closes a connection while the client still sends, the client may lose the response. So the server responds,
reads for some more time, and only then closes (RFC 9112, 9.6).
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container.http.limits import MIB

SECONDS, MAX_BYTES = 2.0, 64 * MIB  # limits of reading the rest of a body


class LingeringCloseMiddleware:
    """Closes the connection after a response that is sent before the whole request body was read. First reads and
    discards the rest of the body for some time, so that a client which reads only after sending gets the response."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        is_read = closes = False

        async def watched_receive() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)  # the last part, or http.disconnect
            return message

        async def closing_send(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start" and not is_read:
                closes = True
                await asyncio.sleep(0)  # lets uvicorn close the connection first if the body is not valid HTTP
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*others, (b"connection", b"close")]}
            if message["type"] == "http.response.body" and closes and not message.get("more_body", False):
                await send({**message, "more_body": True})
                if headers.get("expect", "").lower() != "100-continue":  # such a client has not sent its body yet
                    await _discard(watched_receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        async def _discard(receive: Receive) -> None:
            left = MAX_BYTES
            try:
                async with asyncio.timeout(SECONDS):
                    while not is_read and left > 0:
                        left -= len((await receive()).get("body", b""))
            except TimeoutError:
                return

        await self.app(scope, watched_receive, closing_send)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
