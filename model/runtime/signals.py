"""SIGTERM and Ctrl-C in the training loop: recorded, so that training stops after its current step. In the rest of a
job, `container.job_script.on_sigterm` handles them.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from threading import current_thread, main_thread
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """Raised to stop training after a signal."""


class StopSignal:
    """Context manager that records SIGTERM and SIGINT instead of ending the process. A second Ctrl-C ends it at once.

    Attributes:
        received: Number of the first signal; None if there was none yet.
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
        """Yields the items of a loader. A signal to the whole process group also ends the loader's workers; the
        RuntimeError that follows is replaced by Stopped."""
        try:
            yield from items
        except RuntimeError:
            if self.received is not None:
                raise Stopped from None
            raise
