"""What a request is told that cannot be answered."""

from __future__ import annotations

from collections.abc import Mapping

AGAIN = {"Retry-After": "1"}  # seconds


class Refused(Exception):
    """A request cannot be answered. Its text says what is wrong; status: of HTTP; read: whether its body has come
    whole, else the connection ends with the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, read: bool = False):
        super().__init__(message)
        self.status, self.headers, self.read = status, dict(headers or {}), read
