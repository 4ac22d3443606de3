"""Signals are recorded during training, and loader workers that a signal ended are not an error."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.runtime.signals import Stopped, StopSignal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_recorded_and_the_handlers_are_restored(number: signal.Signals):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopSignal() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received == number
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == number
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_in_another_thread_no_handler_is_set():
    def run() -> int | None:
        with StopSignal() as stop:
            return stop.received

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor() as threads:
        assert threads.submit(run).result() is None
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_second_ctrl_c_ends_at_once():
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.received == signal.SIGINT


def batches() -> Iterator[int]:
    yield 1
    raise RuntimeError("DataLoader worker (pid 17) is killed by signal: Terminated.")


def test_workers_that_a_signal_ended_are_not_an_error():
    stop = StopSignal()
    loaded = stop.interruptible(batches())
    assert next(loaded) == 1
    stop.received = signal.SIGTERM
    with pytest.raises(Stopped):
        next(loaded)


def test_workers_that_ended_by_themselves_are_an_error():
    with pytest.raises(RuntimeError, match="is killed"):
        list(StopSignal().interruptible(batches()))
