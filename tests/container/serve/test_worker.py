"""One model process: its errors, how it ends, and signals for the whole group."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from container.http.errors import RequestError
from container.serve.channel import ProcessStart
from container.serve.errors import NotEnoughMemory
from container.serve.machine_lock import lock_file
from container.serve.worker import ProcessDied, Worker
from model.errors import InputError
from tests.container.serve.conftest import settings_of
from tests.container.serve.stub_model import BAD, DIES, FAULT, WAIT, StubModel, import_nothing, stub_probabilities


def run(test: Callable[[Worker, list[tuple[str, object]]], Awaitable[None]]) -> None:
    """Runs a test with a started process and the list of its events."""

    async def started() -> None:
        events: list[tuple[str, object]] = []
        worker = Worker(7, lambda name, value: events.append((name, value)))
        with lock_file() as lock:
            start = ProcessStart(settings_of(max_faults=2), StubModel, import_nothing)
            await worker.start(start, os.environ, lock.fileno())
            try:
                await test(worker, events)
            finally:
                await worker.kill()

    asyncio.run(started())


def test_results_errors_and_events_come_back_until_the_model_is_broken(tmp_path):
    async def test(worker: Worker, events: list[tuple[str, object]]) -> None:
        info = await worker.call("load", "x", tmp_path, 1)
        assert (info.scheme, info.decision, str(info)) == (StubModel.scheme, StubModel.decision, f"{tmp_path}: a stub")
        for error in (InputError, NotEnoughMemory, ZeroDivisionError):
            with pytest.raises(error, match=f"/nowhere/{error.__name__}: no model") as raised:
                await worker.call("load", "y", Path(f"/nowhere/{error.__name__}"), 1)
            assert "stub_model.py" in raised.value.__notes__[0]
        with pytest.raises(RequestError) as refused:
            await worker.call("predict", "x", 0, {}, payload=BAD)
        assert (refused.value.status, str(refused.value)) == (400, "cannot be read")
        predicted = await worker.call("predict", "x", 0, {}, payload=b"abc" * 1_000_000)
        np.testing.assert_array_equal(predicted.probabilities, stub_probabilities(b"abc" * 1_000_000))

        # an image whose client has disconnected is not predicted
        given_up = asyncio.create_task(worker.call("predict", "x", 0, {}, payload=WAIT + os.fsencode(tmp_path / "go")))
        while len(worker.pending) < 1:
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        (tmp_path / "go").touch()
        assert given_up.cancelled() and not worker.pending
        await worker.call("predict", "x", 0, {}, payload=b"a")

        # only the server handles a signal for the whole group
        worker.process.send_signal(signal.SIGTERM)
        with pytest.raises(RuntimeError, match="CUDA error"):
            await worker.call("predict", "x", 0, {}, payload=FAULT)
        assert events == [("batch", 1)] * 3 + [("fault", None)]
        with pytest.raises(ProcessDied):
            await worker.call("predict", "x", 0, {}, payload=FAULT)
        assert (await worker.ended()).startswith("the model failed on 2 batches in a row; last error: RuntimeError")
        assert worker.is_broken and worker.process.returncode == 1
        with pytest.raises(ProcessDied):
            await worker.call("predict", "x", 0, {}, payload=b"a")

    run(test)


def test_a_process_that_ends_while_it_loads_reports_its_exit_code(tmp_path):
    async def test(worker: Worker, _: object) -> None:
        (tmp_path / DIES).touch()
        with pytest.raises(ProcessDied):
            await worker.call("load", "x", tmp_path, 1)
        assert await worker.ended() == "ended with exit code 3" and worker.memory() == 0

    run(test)


def test_a_message_that_cannot_be_read_ends_the_process_and_its_calls(tmp_path, monkeypatch):
    def refuse(content: bytes) -> None:
        raise AttributeError("no such class")

    async def test(worker: Worker, _: object) -> None:
        monkeypatch.setattr("container.serve.channel.pickle.loads", refuse)
        with pytest.raises(ProcessDied):
            await worker.call("load", "x", tmp_path, 1)
        assert await worker.ended() == "sent a message that cannot be read: AttributeError: no such class"
        assert worker.process.returncode == 0 and not worker.is_ready

    run(test)
