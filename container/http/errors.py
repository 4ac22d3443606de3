"""RequestError: the exception that becomes an HTTP error response."""

from __future__ import annotations

from collections.abc import Mapping

RETRY_AFTER = {"Retry-After": "1"}  # seconds


class RequestError(Exception):
    """A request cannot be answered.

    Args:
        status: The HTTP status of the response.
        message: The reason, sent to the client.
        headers: Additional headers of the response.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})

    def __reduce__(self) -> tuple[type[RequestError], tuple[int, str, Mapping[str, str]]]:
        """Pickles status and headers too."""
        return RequestError, (self.status, str(self), self.headers)
