"""Heartbeats of processes that work while others wait for them, through the store of torchrun's process group.

A collective call only has a timeout: it cannot distinguish a process that works for an hour from one on a frozen host.
Work is therefore divided into phases. In a phase, the processes that work write to the store every few seconds, and the
others wait as long as they do.

The store is in a process of the first host. If that host is frozen, calls of the store never return, and torch has no
timeout for them; so each call is made in a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any, Protocol, TypeVar

from model.errors import Failure

T = TypeVar("T")

BEAT_SECONDS = 10.0  # between two heartbeats
POLL_SECONDS = 0.5  # between two checks whether all are done
FIRST_POLL_SECONDS = 0.005  # first pause between checks, doubled up to POLL_SECONDS, as most phases are short
DONE = "done"
REPORT_SECONDS = 5.0  # delay after the failure of another process, so that its own message is logged first


class Store(Protocol):
    """The methods of torch.distributed.Store that are used here."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def add(self, key: str, amount: int) -> int: ...

    def check(self, keys: list[str]) -> bool: ...


class Heartbeats:
    """The phases of one process. All processes have the same phases in the same order.

    Args:
        store: The store that all processes share.
        rank: Rank of this process.
        patience: Seconds without a heartbeat after which a process counts as lost.
        beat: Seconds between two heartbeats; None for BEAT_SECONDS.
        clock, sleep: Functions of the time module; tests replace them.
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
        """Starts a phase in which this process works."""
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
        """Ends this process's work in the phase.

        Args:
            error: The exception if the work failed. The other processes then raise Failure.
        """
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
        """Waits until all processes that work in a phase have finished.

        Args:
            workers: Ranks of these processes.
            begun: Whether this process is one of them and has called begin.

        Raises:
            Failure: If one of them failed, or has sent no heartbeat for `patience` seconds.
        """
        self.phase += 0 if begun else 1
        pause, newest = FIRST_POLL_SECONDS, dict.fromkeys(workers, b"")
        changed = dict.fromkeys(workers, self.clock())
        looked = self.clock()
        # check whether all are done, one failed, or, less often, the heartbeats of one have stopped
        while self._call(self.store.add, f"{self.phase}/done", 0) < len(workers):
            self._call(self._raise_failure)
            if self.clock() - looked >= self.beat:
                looked = self.clock()
                self._call(self._look, newest, changed)
            self.sleep(pause)
            pause = min(POLL_SECONDS, 2 * pause)
        self._call(self._raise_failure)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function that uses the store, in a thread. Raises Failure if it takes over `patience` seconds."""
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
                f"no reply for {self.patience / 60:g} minutes from the first host, which has the job's store: it is "
                "frozen or lost"
            )
        return outcome.result()

    def _look(self, newest: dict[int, bytes], changed: dict[int, float]) -> None:
        """Reads all heartbeats.

        Args:
            newest: The last heartbeat of each rank; updated in place.
            changed: The time when it was first seen; updated in place.

        Raises:
            Failure: If a process has sent no heartbeat for `patience` seconds.
        """
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
                f"no heartbeat for {self.patience / 60:g} minutes from rank {names}: its host is frozen or lost"
            )

    def _raise_failure(self) -> None:
        key = f"{self.phase}/failed"
        if self.store.check([key]):
            self.sleep(REPORT_SECONDS)
            raise Failure(f"{self.store.get(key).decode()}; see its log for details")
