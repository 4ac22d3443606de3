"""Being asked to stop: SIGTERM and Ctrl-C end training after the step at hand."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """Training was asked to stop."""


class StopSignal:
    """Within its `with` block the signals are noted in `received` instead of ending the process; a second Ctrl-C
    ends it at once."""

    def __init__(self) -> None:
        self.received: int | None = None

    def __enter__(self) -> StopSignal:
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number

    def outlived(self, items: Iterable[T]) -> Iterator[T]:
        """The items. A signal to the whole process group ends loader workers too, which is then no fault of theirs:
        Stopped is raised."""
        try:
            yield from items
        except RuntimeError:
            if self.received is not None:
                raise Stopped from None
            raise
