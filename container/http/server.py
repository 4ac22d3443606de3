"""HttpServer: runs an ASGI app on uvicorn, by its public settings alone, within limits of connections and time.

Not limited, since uvicorn has no setting for it: the time for a request's head. docs/containers.md says what a proxy in
front has to do.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from model.errors import InputError

BACKLOG = 2048  # connections that wait to be accepted
KEEP_ALIVE_SECONDS = 5  # that a connection may be idle between requests
MAX_HEAD_BYTES = 16_384  # of a request's line and headers
OTHER_FILES = 100  # that the process may have open beside its connections

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
        max_connections: At a time; requests of more are answered with 503.
        unread_seconds: After which a connection is closed whose client takes nothing of its answer.
        drain_seconds: For requests that are under way when SIGTERM comes.
    """

    max_connections: int = 2_000
    unread_seconds: float = 30.0
    drain_seconds: float = 25.0


class HttpServer:
    """Runs an ASGI app until SIGTERM, SIGINT or stop().

    Args:
        app: The app.
        limits: Of its connections.
    """

    def __init__(self, app: ASGIApp, limits: ConnectionLimits):
        self.limits = limits
        connections = _allowed_connections(limits.max_connections)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections + 1,  # uvicorn refuses the one that makes so many
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=round(limits.drain_seconds),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self.server = uvicorn.Server(config)

    def run(self, listener: socket.socket) -> None:
        """Serves the connections of a listener (open_listener)."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it from their listener (man 7 tcp)
            milliseconds = min(max(1, round(1000 * self.limits.unread_seconds)), (1 << 31) - 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        asyncio.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().set_exception_handler(_log_loop_error)
        await self.server.serve(sockets=[listener])

    def stop(self) -> None:
        """Ends run() as SIGTERM does. From a handler or task of the app."""
        self.server.should_exit = True


def _allowed_connections(number: int) -> int:
    """Raises the process's limit of open files (man 2 getrlimit), so that it can have so many connections at a time.

    Beyond it no connection would be accepted, and no request be answered, until some close.

    Returns:
        The number; less, with a warning, if the hard limit does not allow so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = number + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return number
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == needed:
        return number
    fewer = max(1, allowed - OTHER_FILES)
    log.warning(
        "%d connections at a time instead of %d: the process may open %d files (ulimit -Hn)", fewer, number, hard
    )
    return fewer


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """uvicorn raises where a client breaks off HTTP after its answer has begun; asyncio then closes the connection."""
    if "protocol" in context:
        log.info("a connection was closed: %s", context.get("exception"))
    else:
        loop.default_exception_handler(context)


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. InputError if the address is not available."""
    # asyncio turns Nagle's algorithm off, which delays answers by 40 ms, only for sockets whose protocol is named
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, proto=socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
    return listener
