"""RequestError: a request that is answered with an HTTP error instead of predictions."""

from __future__ import annotations

from collections.abc import Mapping

RETRY_AFTER = {"Retry-After": "1"}  # seconds


class RequestError(Exception):
    """A request cannot be answered; the message says why.

    Args:
        status: The HTTP status of the answer.
        message: The text of the answer.
        headers: Further headers of the answer.
        body_read: Whether the request's body was read to its end; if not, the connection is closed with the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, body_read: bool = False):
        super().__init__(message)
        self.status, self.headers, self.body_read = status, dict(headers or {}), body_read
