"""Heartbeats, with a store in this process and a clock that only advances when a process sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch.distributed as dist

from model.errors import Failure
from model.runtime.heartbeats import Heartbeats


class Clock:
    """time.monotonic and time.sleep; `at_sleep` is called at each sleep with the time."""

    def __init__(self, at_sleep: Callable[[float], None] = lambda _: None):
        self.now, self.at_sleep = 0.0, at_sleep

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.at_sleep(self.now)


def heartbeats(store: dist.Store, rank: int, clock: Clock) -> Heartbeats:
    return Heartbeats(store, rank, patience=60, beat=1, clock=clock, sleep=clock.sleep)


def test_waiting_lasts_as_long_as_there_are_heartbeats():
    store = dist.HashStore()

    def work(now: float) -> None:
        store.set("rank 1", f"1/{int(now / 30)}")  # rarely, but within the patience
        if now > 150:
            store.add("1/done", 1)

    clock = Clock(work)
    heartbeats(store, 0, clock).wait([1])
    assert 150 < clock.now < 152


def test_a_process_without_heartbeats_is_lost():
    store = dist.HashStore()
    store.set("rank 2", "1/7")
    clock = Clock(lambda now: store.set("rank 1", f"1/{now}"))
    with pytest.raises(Failure, match="no heartbeat for 1 minutes from rank 2: its host is frozen or lost"):
        heartbeats(store, 0, clock).wait([1, 2])
    assert 60 < clock.now < 64


def test_a_finished_process_needs_no_heartbeats():
    store = dist.HashStore()
    done = heartbeats(store, 1, Clock())
    done.begin()
    done.end()

    def work(now: float) -> None:
        store.set("rank 2", f"1/{now}")
        if now > 130:
            store.add("1/done", 1)

    clock = Clock(work)
    heartbeats(store, 0, clock).wait([1, 2])
    assert clock.now > 130


def test_a_process_that_fails_ends_the_others_at_once():
    store, clock = dist.HashStore(), Clock()
    failing = heartbeats(store, 1, Clock())
    failing.begin()
    failing.end(ValueError("no such file"))
    waiting = heartbeats(store, 0, clock)
    with pytest.raises(Failure, match="rank 1 failed: ValueError: no such file; see its log for details"):
        waiting.wait([1, 2])
    assert clock.now < 10


def test_heartbeats_are_written_while_a_process_works_and_phases_are_separate():
    store = dist.HashStore()
    working, waiting = heartbeats(store, 0, Clock()), heartbeats(store, 1, Clock())
    for phase in (1, 2):
        working.begin()
        while not store.check(["rank 0"]) or not store.get("rank 0").startswith(f"{phase}/".encode()):
            pass
        working.end()
        assert store.get("rank 0") == f"{phase}/done".encode()
        waiting.wait([0])
    assert waiting.phase == working.phase == 2


class FrozenStore:
    """The store of a frozen host: its calls return only when the test has ended."""

    def __init__(self) -> None:
        self.thawed = threading.Event()

    def set(self, key: str, value: str) -> None:
        self.thawed.wait()

    def get(self, key: str) -> bytes:
        self.thawed.wait()
        return b""

    def add(self, key: str, amount: int) -> int:
        self.thawed.wait()
        return 1

    def check(self, keys: list[str]) -> bool:
        self.thawed.wait()
        return False


def test_a_frozen_host_of_the_store_is_an_error_for_waiting_and_working_processes():
    store = FrozenStore()
    waiting, working = Heartbeats(store, 1, patience=0.06), Heartbeats(store, 2, patience=0.06)
    message = "no reply for 0.001 minutes from the first host, which has the job's store: it is frozen or lost"
    try:
        with pytest.raises(Failure, match=message):
            waiting.wait([0])
        working.begin()
        with pytest.raises(Failure, match=message):
            working.end()
        working.end(ValueError("no such file"))  # raises no Failure: its own error is reported
    finally:
        store.thawed.set()
