"""Signs of life of processes that work while others wait for them, through the store of torchrun's process group.

A collective call has a timeout, and cannot tell a process that works for an hour from one whose host is frozen. In a
phase the processes that work write to the store every few seconds; the others wait as long as these writes go on.

The store is in a process of the first host. Where that host is frozen, a call of the store never returns and no timeout
of torch ends it, so that each call is made in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Protocol, TypeVar

from model.errors import Failure

T = TypeVar("T")

BEAT_SECONDS = 10.0  # between two signs of life
POLL_SECONDS = 0.5  # between two looks at whether all are done
FIRST_POLL_SECONDS = 0.005  # the first pause, doubled until POLL_SECONDS: most phases are short
DONE = "done"
REPORT_SECONDS = 5.0  # after another process failed: its own message is the first then


class Store(Protocol):
    """The methods of torch.distributed.Store that are used."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def add(self, key: str, amount: int) -> int: ...

    def check(self, keys: list[str]) -> bool: ...


class Heartbeats:
    """The phases of one process. Every process goes through the same phases in the same order.

    Args:
        store: The store that all processes share.
        rank: This process.
        patience: Seconds without a sign of life after which a process counts as lost.
        beat: Seconds between two signs of life; None for BEAT_SECONDS.
        clock, sleep: Of the time module; tests have their own.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        patience: float,
        beat: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.store, self.rank, self.patience, self.beat = store, rank, patience, BEAT_SECONDS if beat is None else beat
        self.clock, self.sleep = clock, sleep
        self.phase = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begins a phase in which this process works."""
        self.phase += 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, args=(self.phase, self._stop), daemon=True)
        self._thread.start()

    def _write(self, phase: int, stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            self.store.set(f"rank {self.rank}", f"{phase}/{number}")
            number += 1
            stop.wait(self.beat)

    def end(self, error: BaseException | None = None) -> None:
        """Ends this process's work in the phase. error: why it cannot go on, which ends the others too."""
        self._stop.set()
        try:
            self._call(self._end, error)
        except Failure:
            if error is None:
                raise

    def _end(self, error: BaseException | None) -> None:
        if self._thread is not None:
            self._thread.join()
        self.store.set(f"rank {self.rank}", f"{self.phase}/{DONE}")
        if error is not None:
            self.store.set(f"{self.phase}/failed", f"rank {self.rank} failed: {type(error).__name__}: {error}")
        self.store.add(f"{self.phase}/done", 1)

    def wait(self, workers: Sequence[int], begun: bool = False) -> None:
        """Waits until all processes that work in a phase have ended their work.

        Args:
            workers: Their ranks.
            begun: Whether this process has begun the phase itself, being one of them.

        Raises:
            Failure: One of them failed, or has given no sign of life for `patience` seconds.
        """
        self.phase += 0 if begun else 1
        pause, newest = FIRST_POLL_SECONDS, dict.fromkeys(workers, b"")
        changed = dict.fromkeys(workers, self.clock())
        looked = self.clock()
        while self._call(self.store.add, f"{self.phase}/done", 0) < len(workers):
            self._call(self._raise_failure)
            if self.clock() - looked >= self.beat:
                looked = self.clock()
                self._call(self._look, newest, changed)
            self.sleep(pause)
            pause = min(POLL_SECONDS, 2 * pause)
        self._call(self._raise_failure)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of a function that calls the store. Failure if there is none within `patience` seconds."""
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                outcome.set_result(function(*arguments))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        wait([outcome], self.patience)
        if not outcome.done():
            raise Failure(
                f"no answer for {self.patience / 60:g} minutes from the first host, which has the job's store: it is "
                "frozen or lost"
            )
        return outcome.result()

    def _look(self, newest: dict[int, bytes], changed: dict[int, float]) -> None:
        """Reads all signs of life. newest, changed: by rank, the last sign and when it was new; both are updated."""
        now = self.clock()
        for rank in newest:
            key = f"rank {rank}"
            sign = self.store.get(key) if self.store.check([key]) else b""
            if sign != newest[rank] or sign == f"{self.phase}/{DONE}".encode():
                newest[rank], changed[rank] = sign, now
        lost = [str(rank) for rank, since in changed.items() if now - since > self.patience]
        if lost:
            names = ", ".join(lost)
            raise Failure(
                f"no sign of life for {self.patience / 60:g} minutes from rank {names}: its host is frozen or lost"
            )

    def _raise_failure(self) -> None:
        key = f"{self.phase}/failed"
        if self.store.check([key]):
            self.sleep(REPORT_SECONDS)
            raise Failure(f"{self.store.get(key).decode()}; its own log says more")
