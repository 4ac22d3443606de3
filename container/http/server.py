"""HttpServer: runs an ASGI app on uvicorn with limits of connections and time, using only uvicorn's public settings.

The time until a request's headers have arrived is not limited, because uvicorn has no setting for it.
docs/containers.md describes what a proxy in front has to do.
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

BACKLOG = 2048  # connections that may wait to be accepted
KEEP_ALIVE_SECONDS = 5  # that a connection may be idle between requests
MAX_HEAD_BYTES = 16_384  # of a request line with its headers
OTHER_FILES = 100  # open files of the process in addition to connections

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
        max_connections: At a time; requests on further connections are answered with 503.
        unread_seconds: Seconds after which a connection is closed if the client does not read its response.
        drain_seconds: Seconds that running requests have to finish after SIGTERM.
    """

    max_connections: int = 2_000
    unread_seconds: float = 30.0
    drain_seconds: float = 25.0


class HttpServer:
    """Runs an ASGI app until SIGTERM, SIGINT or stop().

    Args:
        app: The app.
        limits: Limits of its connections.
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
            limit_concurrency=connections + 1,  # uvicorn refuses the connection that reaches this number
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=round(limits.drain_seconds),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self.server = uvicorn.Server(config)

    def run(self, listener: socket.socket) -> None:
        """Accepts and serves connections of a listener (open_listener)."""
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it from their listener (man 7 tcp)
            milliseconds = min(max(1, round(1000 * self.limits.unread_seconds)), (1 << 31) - 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        asyncio.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().set_exception_handler(_log_loop_error)
        await self.server.serve(sockets=[listener])

    def stop(self) -> None:
        """Ends run() as SIGTERM does. May be called by a handler or task of the app."""
        self.server.should_exit = True


def _allowed_connections(number: int) -> int:
    """Raises the process's limit of open files (man 2 getrlimit) so that it allows a number of connections.

    At the limit no connection would be accepted, and no request answered, until some connections close.

    Returns:
        The number of connections; fewer, with a warning, if the hard limit does not allow as many.
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
        "at most %d connections at a time instead of %d: the process may open only %d files (ulimit -Hn)",
        fewer,
        number,
        hard,
    )
    return fewer


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Logs errors of the event loop. uvicorn raises one if a client sends invalid HTTP after its response has started;
    asyncio then closes the connection."""
    if "protocol" in context:
        log.info("a connection was closed: %s", context.get("exception"))
    else:
        loop.default_exception_handler(context)


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. InputError if the address is not available."""
    # with the protocol given, asyncio turns off Nagle's algorithm, which delays responses by 40 ms
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, proto=socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
    return listener
