"""Telemetry: counters for /metrics (Prometheus' text format), and one log line of JSON per request."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = ("/ping", "/invocations", "/execution-parameters", "/metrics", "/openapi.json", "/models")
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CLIENT_CLOSED_REQUEST = 499  # nginx's status for a client that has gone; HTTP has none
MAX_LENGTH = 200  # characters of a client's text in a line

log = logging.getLogger("rarebird")


class Counters:
    """The server's Prometheus metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("rarebird_requests", "Requests", ["path", "status"], registry=registry)
        self.seconds = Histogram("rarebird_request_seconds", "From head to answer", ["path"], registry=registry)
        self.pictures = Counter("rarebird_pictures", "Pictures of requests", ["outcome"], registry=registry)
        self.batches = Histogram("rarebird_batch_pictures", "Pictures a batch", registry=registry, buckets=BATCH_SIZES)
        ProcessCollector(registry=registry)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class TelemetryMiddleware:
    """Counts an app's requests and logs a line for each but successful pings. Handlers put `pictures`, `unreadable` and
    `error` into the scope's state for the line."""

    def __init__(self, app: ASGIApp, counters: Counters):
        self.app, self.counters = app, counters

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
        except asyncio.CancelledError:  # by uvicorn, for requests that the drain did not wait for
            if status == CLIENT_CLOSED_REQUEST:
                headers = [(b"content-type", b"application/json"), (b"retry-after", b"1"), (b"connection", b"close")]
                await counted_send({"type": "http.response.start", "status": 503, "headers": headers})
                await counted_send({"type": "http.response.body", "body": b'{"error": "the server ends"}'})
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - started
            path = path_template(scope["path"])
            self.counters.requests.labels(path, str(status)).inc()
            self.counters.seconds.labels(path).observe(seconds)
            if path != "/ping" or status != 200:
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
                line |= {name: state[name] for name in ("pictures", "unreadable", "error") if name in state}
                if inference := Headers(scope=scope).get("x-amzn-sagemaker-inference-id"):
                    line["inference_id"] = inference[:MAX_LENGTH]
                log.info("%s", json.dumps(line))


def path_template(path: str) -> str:
    """A path without the names that clients give, so that counters do not grow with them."""
    if path in PATHS:
        return path
    if path.startswith("/models/"):
        return "/models/{name}/invoke" if path.endswith("/invoke") else "/models/{name}"
    return "other"
