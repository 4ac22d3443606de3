"""uvicorn's connection, with an end to clients that are slow, and errors of HTTP told as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from container.serve.responses import json_bytes


def bounded(seconds: float) -> type[H11Protocol]:
    """A connection is closed where a request's head has not come whole so many seconds after its beginning, or after
    the connection was made; where the rest of a request that is answered already takes longer; and where what is sent
    is not read within them. (uvicorn ends connections that are idle between requests, but none of these.)"""

    class Bounded(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.set_write_buffer_limits(high=0)  # pause_writing comes as soon as the client reads too slowly
            self.timers: dict[str, asyncio.TimerHandle] = {}
            self._start("head", transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            answered = self.cycle is not None and self.cycle.response_complete
            if self.conn.their_state is not h11.IDLE and not answered:
                self._stop("head")
            elif not self.transport.is_closing():
                self._start("head", self.transport.close)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._start("read", self.transport.abort)

        def resume_writing(self) -> None:
            self._stop("read")
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            for name in list(self.timers):
                self._stop(name)
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            body = json_bytes({"error": msg})
            headers = [("Content-Type", "application/json"), ("Connection", "close"), ("Content-Length", len(body))]
            encoded = [(name.encode(), str(value).encode()) for name, value in headers]
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer is under way already
                self.transport.write(self.conn.send(h11.Response(status_code=400, headers=encoded)) or b"")
                self.transport.write(self.conn.send(h11.Data(data=body)) or b"")
            self.transport.close()

        def _start(self, name: str, end: Callable[[], None]) -> None:
            """Where it does not run already."""
            if name not in self.timers:
                self.timers[name] = self.loop.call_later(seconds, end)

        def _stop(self, name: str) -> None:
            if timer := self.timers.pop(name, None):
                timer.cancel()

    return Bounded
