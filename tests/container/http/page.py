"""A page without any model, as exploration may serve one: the second user of container.http.

python -m tests.container.http.page --port PORT [--NAME VALUE ...]
"""

from __future__ import annotations

import argparse
import socket

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from container.http.app import make_app
from container.http.errors import RequestError
from container.http.json_body import JSON, json_response, parse_json
from container.http.limits import Capacity
from container.http.request_body import BodyLimits, media_type, read_body
from container.http.server import ConnectionLimits, HttpServer, open_listener
from container.http.telemetry import Telemetry

HTML = "<!doctype html><title>Labels</title>"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--body_seconds", type=float, default=30.0)
    parser.add_argument("--unread_seconds", type=float, default=30.0)
    parser.add_argument("--max_connections", type=int, default=100)
    parser.add_argument("--send_buffer", type=int, default=0)
    flags = parser.parse_args()
    bodies = Capacity(1500)
    body_limits = BodyLimits(1000, flags.body_seconds, "max_labels")

    async def page(request: Request) -> Response:
        return HTMLResponse(HTML)

    async def save_labels(request: Request) -> Response:
        if media_type(request.headers) != JSON:
            raise RequestError(415, f"expected {JSON}")
        with bodies.reservation() as held:
            return json_response({"saved": parse_json(await read_body(request, body_limits, held))})

    async def large(request: Request) -> Response:
        return Response(b"x" * int(request.path_params["size"]))

    async def fault(request: Request) -> Response:
        raise ValueError("of the page")

    async def metrics(request: Request) -> Response:
        return Response(telemetry.text())

    async def stop(request: Request) -> Response:
        server.stop()
        return Response()

    telemetry = Telemetry(lambda path: path if path in ("/", "/ping", "/labels") else "other", quiet_paths=("/ping",))
    telemetry.gauge("rarebird_held_bytes", "Bytes of request bodies in memory", lambda: bodies.used)
    routes = [
        Route("/", page),
        Route("/ping", page),
        Route("/labels", save_labels, methods=["POST"]),
        Route("/large/{size}", large),
        Route("/fault", fault),
        Route("/metrics", metrics),
        Route("/stop", stop),
    ]
    limits = ConnectionLimits(flags.max_connections, flags.unread_seconds, drain_seconds=5)
    server = HttpServer(make_app(routes, telemetry), limits)
    with open_listener("127.0.0.1", flags.port) as listener:
        if flags.send_buffer:  # the kernel's buffer for data that is not read yet
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, flags.send_buffer)
        server.run(listener)


if __name__ == "__main__":
    main()
