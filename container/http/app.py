"""make_app: creates an ASGI app that answers errors as JSON, and counts and logs its requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from container.http.exception_handlers import EXCEPTION_HANDLERS
from container.http.lingering_close import LingeringCloseMiddleware
from container.http.telemetry import Telemetry, TelemetryMiddleware


def make_app(
    routes: Sequence[BaseRoute],
    telemetry: Telemetry,
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
    middleware: Sequence[Middleware] = (),
) -> Starlette:
    """Creates an app for HttpServer.

    Args:
        routes: The paths. Their handlers raise RequestError if a request cannot be answered.
        telemetry: Counts the requests and logs a line for each.
        lifespan: Context manager around the run of the app: starts and stops what the handlers need.
        middleware: Between the routes and what this function adds; its responses are counted and logged too.
    """
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(TelemetryMiddleware, telemetry=telemetry),
            Middleware(LingeringCloseMiddleware),
            *middleware,
        ],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
