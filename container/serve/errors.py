"""Errors of models that are served."""

from __future__ import annotations

from model.errors import Failure


class Unavailable(Exception):
    """An image cannot be predicted now. Trying again may succeed."""


class NotEnoughMemory(Failure):
    """A model needs more memory than is free."""
