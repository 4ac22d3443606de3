"""make_app: an ASGI app whose errors are JSON and whose requests are counted and logged."""

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
) -> Starlette:
    """An app of these routes, for HttpServer.

    Args:
        routes: Its paths. Their handlers raise RequestError for what cannot be answered.
        telemetry: What counts its requests and writes a line of the log for each.
        lifespan: What runs from its start to its end.
    """
    app = Starlette(
        routes=routes,
        middleware=[Middleware(TelemetryMiddleware, telemetry=telemetry), Middleware(LingeringCloseMiddleware)],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
