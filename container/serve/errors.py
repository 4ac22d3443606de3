"""Errors of models that are served."""

from __future__ import annotations

from model.errors import Failure


class Unavailable(Exception):
    """An image cannot be predicted now; another try may succeed."""


class NotEnoughMemory(Failure):
    """A model needs more memory than there is."""
