"""Log lines of a job that a Python program calls, such as a notebook, and of commands that are no jobs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def log_lines(stream: TextIO | None = None) -> Iterator[None]:
    """Writes the log to a stream, unless the program has set up logging that shows INFO, or a handler of its own.

    Args:
        stream: Where the lines go; None for stdout.
    """
    log = logging.getLogger("rarebird")
    if log.handlers or log.isEnabledFor(logging.INFO):
        yield
        return
    handler, level, propagate = logging.StreamHandler(stream or sys.stdout), log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
