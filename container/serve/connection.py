"""uvicorn's connection, with an end to slow request heads and errors of HTTP told as JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from container.serve.forms import json_bytes


def bounded(head_seconds: float) -> type[H11Protocol]:
    """A connection is closed where a request's head has not come whole so many seconds after its beginning, or after
    the connection was made. (uvicorn ends connections that are idle between requests, but none before.)"""

    class Bounded(H11Protocol):
        head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.head_timer = self.loop.call_later(head_seconds, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self.head_timer is None and not self.transport.is_closing():
                self.head_timer = self.loop.call_later(head_seconds, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            body = json_bytes({"error": msg})
            headers = [("Content-Type", "application/json"), ("Connection", "close"), ("Content-Length", len(body))]
            told = [(name.encode(), str(value).encode()) for name, value in headers]
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer is under way already
                self.transport.write(self.conn.send(h11.Response(status_code=400, headers=told)) or b"")
                self.transport.write(self.conn.send(h11.Data(data=body)) or b"")
            self.transport.close()

        def _stop(self) -> None:
            if self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

    return Bounded
