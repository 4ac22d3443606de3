"""LingeringCloseMiddleware: what becomes of a connection whose request is answered before its body has arrived.

RFC 9112, 9.6: a server that closes while the client still sends may destroy its own answer on the way; so it answers,
reads on for a while, and only then closes.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container.http.limits import MIB

SECONDS, MAX_BYTES = 2.0, 64 * MIB  # of a body that nobody wants


class LingeringCloseMiddleware:
    """Closes the connection with an answer that comes before the request's body was read to its end; the rest of the
    body is discarded for a while, so that a client which sends it all before it listens gets the answer."""

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
                await asyncio.sleep(0)  # lets uvicorn close the connection first, where the body begins with no HTTP
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*others, (b"connection", b"close")]}
            if message["type"] == "http.response.body" and closes and not message.get("more_body", False):
                await send({**message, "more_body": True})
                if headers.get("expect", "").lower() != "100-continue":  # else the client waits for leave to send
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
