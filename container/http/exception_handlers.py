"""Exception handlers: they answer every error with a JSON object, {"error": MESSAGE}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from container.http.errors import RequestError
from container.http.json_body import json_response
from container.http.telemetry import CLIENT_CLOSED_REQUEST

MAX_LOGGED = 200  # characters of an error message in a log line


async def answer_request_error(request: Request, error: Exception) -> Response:
    """The response to a RequestError, whose message is logged too."""
    assert isinstance(error, RequestError)
    request.state.error = str(error)[:MAX_LOGGED]
    return json_response({"error": str(error)}, error.status, error.headers)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """The response to an unknown path (404) or method (405)."""
    assert isinstance(error, HTTPException)
    text = f"{request.method[:20]} {request.scope['path'][:200]}: {error.detail}"
    return await answer_request_error(request, RequestError(error.status_code, text, error.headers))


async def answer_disconnect(request: Request, error: Exception) -> Response:
    """A response for the log only, since the client has disconnected."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def answer_server_error(request: Request, error: Exception) -> Response:
    # uvicorn closes the connection if an exception reaches it, so the client must not send another request on it
    return json_response({"error": "internal server error; see the server's log"}, 500, {"Connection": "close"})


EXCEPTION_HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    RequestError: answer_request_error,
    HTTPException: answer_http_exception,
    ClientDisconnect: answer_disconnect,
    Exception: answer_server_error,
}
