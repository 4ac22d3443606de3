"""RequestError: a request that is answered with an HTTP error."""

from __future__ import annotations

from collections.abc import Mapping

RETRY_AFTER = {"Retry-After": "1"}  # seconds


class RequestError(Exception):
    """A request cannot be answered; the message says why.

    Args:
        status: The HTTP status of the answer.
        message: The text of the answer.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})

    def __reduce__(self) -> tuple[type[RequestError], tuple[int, str, Mapping[str, str]]]:
        """Pickles it with its status and headers."""
        return RequestError, (self.status, str(self), self.headers)
