"""SIGTERM and Ctrl-C inside the training loop: noted, so that it can stop after its current step. Elsewhere in a job
the handler is `container.job_script.on_sigterm`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from threading import current_thread, main_thread
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """A signal asked training to stop."""


class StopSignal:
    """Context manager that notes SIGTERM and SIGINT instead of ending the process; a second Ctrl-C ends it at once.

    Attributes:
        received: Number of the first signal, None as long as there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    def __enter__(self) -> StopSignal:
        # only the main thread may set handlers
        numbers = (signal.SIGTERM, signal.SIGINT) if current_thread() is main_thread() else ()
        self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number

    def interruptible(self, items: Iterable[T]) -> Iterator[T]:
        """Yields the items of a loader. A signal to the whole process group ends the loader's workers too; the
        RuntimeError that follows becomes Stopped."""
        try:
            yield from items
        except RuntimeError:
            if self.received is not None:
                raise Stopped from None
            raise
