"""Telemetry: counters for /metrics (Prometheus text format), and one JSON log line per request."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENT_CLOSED_REQUEST = 499  # as in nginx: the client has disconnected; HTTP has no status for it
MAX_LENGTH = 200  # characters of a client's text in a log line

log = logging.getLogger("rarebird")


class Telemetry:
    """A server's Prometheus metrics, in their own registry, and the content of its log lines.

    Args:
        path_template: Turns a request's path into a label of the counters. It must replace names that clients choose,
            or the number of labels would grow without limit.
        quiet_paths: Templates of the paths whose requests are not logged if they are answered with 200.
    """

    def __init__(self, path_template: Callable[[str], str], quiet_paths: Collection[str] = ()):
        self.path_template, self.quiet_paths = path_template, quiet_paths
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("rarebird_requests", "Requests", ["path", "status"], registry=registry)
        self.seconds = Histogram(
            "rarebird_request_seconds", "Time until the response is sent", ["path"], registry=registry
        )
        ProcessCollector(registry=registry)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Adds a metric whose value is computed when the metrics are read.

        Args:
            name: Its name.
            text: Its description.
            value: Returns its value.
        """
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All metrics in Prometheus text format."""
        return generate_latest(self.registry)

    def details(self, scope: Scope) -> dict[str, Any]:
        """Additional entries of a request's log line, for subclasses."""
        return {}


class TelemetryMiddleware:
    """Counts an app's requests and logs a line for each. Exception handlers store the `error` to log in the scope's
    state."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry):
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_CLOSED_REQUEST
        bytes_in = bytes_out = 0

        async def counted_receive() -> Message:
            nonlocal bytes_in
            message = await receive()
            bytes_in += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status, bytes_out
            if message["type"] == "http.response.start":
                status = message["status"]
            bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, counted_receive, counted_send)
        except asyncio.CancelledError:  # by uvicorn, when the time to finish requests is over
            if status == CLIENT_CLOSED_REQUEST:
                headers = [(b"content-type", b"application/json"), (b"retry-after", b"1"), (b"connection", b"close")]
                await counted_send({"type": "http.response.start", "status": 503, "headers": headers})
                await counted_send({"type": "http.response.body", "body": b'{"error": "the server is shutting down"}'})
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - started
            path = self.telemetry.path_template(scope["path"])
            self.telemetry.requests.labels(path, str(status)).inc()
            self.telemetry.seconds.labels(path).observe(seconds)
            if path not in self.telemetry.quiet_paths or status != 200:
                log.info("%s", json.dumps(self._line(scope, status, seconds, bytes_in, bytes_out)))

    def _line(self, scope: Scope, status: int, seconds: float, bytes_in: int, bytes_out: int) -> dict[str, Any]:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"][:MAX_LENGTH],
            "path": scope["path"][:MAX_LENGTH],
            "status": status,
            "seconds": round(seconds, 4),
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
        }
        state = scope.get("state", {})
        if "error" in state:
            line["error"] = state["error"]
        return line | self.telemetry.details(scope)
