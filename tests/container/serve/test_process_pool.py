"""Several model processes behind one server: retries, restarts, several models, and which GPU each process sees."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from container.serve import models, process_pool
from container.serve.app import Server
from container.serve.process_pool import ProcessPool, pause, process_count, process_variables
from container.serve.worker import Worker
from model.errors import InputError
from tests.container.http.server_process import until
from tests.container.serve.conftest import settings_of
from tests.container.serve.stub_model import (
    BAD,
    DIES,
    FAULT,
    KILL,
    WAIT,
    StubModel,
    import_nothing,
    stub_probabilities,
)

PICTURE = {"Content-Type": "image/png"}


class Pool:
    """A server in this process, whose model processes have stubs."""

    def __init__(self, folder: Path | None, processes: int = 2, **values: object):
        self.failures: list[Exception] = []
        self.server = Server(settings_of(**values), folder, self.failures.append, processes)
        self.client = TestClient(self.server.app(), raise_server_exceptions=False)
        self.client.__enter__()

    @property
    def workers(self) -> list[Worker]:
        assert isinstance(self.server.models, ProcessPool)
        return self.server.models.workers

    def ready(self) -> Pool:
        until(lambda: self.failures or all(worker.is_ready for worker in self.workers))
        return self

    def ask(self, picture: bytes, path: str = "/invocations") -> httpx.Response:
        return self.client.post(path, content=picture, headers=PICTURE)

    def right(self, picture: bytes, path: str = "/invocations") -> bool:
        """Whether a picture gets the answer of the stub."""
        answer = self.ask(picture, path)
        assert answer.status_code == 200, answer.text
        return np.allclose(answer.json()["probabilities"], stub_probabilities(picture), atol=1e-7)

    def kill(self, *numbers: int) -> None:
        """Kills processes and waits until this is noticed."""
        killed = [self.workers[number] for number in numbers]
        for worker in killed:
            os.kill(worker.process.pid, signal.SIGKILL)
        until(lambda: all(worker.has_ended for worker in killed))

    def metric(self, name: str) -> float:
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Pool]]:
    monkeypatch.setattr(models, "make_served_model", StubModel)
    monkeypatch.setattr(models, "import_libraries", import_nothing)
    pools: list[Pool] = []

    def start(folder: Path | None = tmp_path, **values: object) -> Pool:
        pools.append(Pool(folder, **values))
        return pools[-1]

    yield start
    for each in pools:
        each.client.__exit__(None, None, None)
        assert all(worker.process.returncode is not None for worker in each.workers if worker.process)


def test_32_clients_of_four_processes_see_no_error_when_one_is_killed(pool, tmp_path):
    serving = pool(processes=4, num_workers=32).ready()
    waiting = [WAIT + os.fsencode(tmp_path / "go") + b"x" * number for number in range(32)]
    for picture in waiting:
        Path(os.fsdecode(picture.removeprefix(WAIT))).unlink(missing_ok=True)
    with ThreadPoolExecutor(32) as clients:
        answers = [clients.submit(serving.right, picture) for picture in waiting]
        until(lambda: [len(worker.pending) for worker in serving.workers] == [8] * 4)
        first = serving.workers[0]
        serving.kill(0)
        until(lambda: sorted(len(worker.pending) for worker in serving.workers)[-3:] == [10, 11, 11])
        assert serving.client.get("/ping").status_code == 200
        for picture in waiting:
            Path(os.fsdecode(picture.removeprefix(WAIT))).touch()
        assert all(answer.result() for answer in answers)
    serving.ready()
    assert serving.workers[0] is not first and not serving.failures
    assert [serving.metric(f'rarebird_process_restarts_total{{process="{number}"}}') for number in range(4)] == [
        1,
        0,
        0,
        0,
    ]
    assert sum(serving.metric(f'rarebird_process_pictures_total{{process="{number}"}}') for number in range(4)) == 32
    assert serving.right(b"abc") and serving.metric('rarebird_process_pictures_total{process="0"}') == 1


def test_errors_of_pictures_and_of_requests_are_those_of_one_process(pool):
    serving = pool(timeout=0.3).ready()
    assert (serving.ask(BAD).status_code, serving.ask(BAD).json()) == (400, {"error": "cannot be read"})
    assert serving.ask(FAULT).status_code == 500 and serving.right(b"a")
    late = serving.ask(WAIT + b"/nowhere/at/all")
    assert late.status_code == 503 and "within 0.3 s" in late.json()["error"]
    assert (serving.server.pictures.used, serving.server.bodies.used) == (0, 0)
    assert not any(worker.pending for worker in serving.workers)
    assert serving.metric("rarebird_model_faults_total") == 1 and serving.metric("rarebird_batch_pictures_count") == 2
    assert serving.client.get("/execution-parameters").json() == {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 25}


def test_a_picture_that_kills_is_given_to_two_processes_and_503_without_a_ready_one(pool, monkeypatch):
    monkeypatch.setattr(process_pool, "pause", lambda deaths: 0 if released.is_set() else 0.02)
    released = threading.Event()
    make_ready = ProcessPool._make_ready

    async def held(own: ProcessPool, worker: Worker, copies: int) -> None:
        while not released.is_set() and copies == 1:  # a restart
            await process_pool.asyncio.sleep(0.005)
        await make_ready(own, worker, copies)

    monkeypatch.setattr(ProcessPool, "_make_ready", held)
    serving = pool(processes=3).ready()
    killed = serving.ask(KILL)
    assert (killed.status_code, killed.headers["retry-after"]) == (503, "1")
    assert killed.json()["error"] == "2 model processes ended while they had this picture"
    assert serving.client.get("/ping").status_code == 200 and serving.right(b"a")
    serving.kill(*[worker.number for worker in serving.workers if worker.is_ready])
    late = serving.ask(b"a")
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")
    assert late.json()["error"] == "no model process is ready; it is being restarted"
    assert serving.client.get("/ping").status_code == 503
    released.set()
    assert serving.ready().right(b"a") and serving.client.get("/ping").status_code == 200 and not serving.failures


def test_a_process_whose_model_fails_is_restarted_and_the_server_ends_where_that_does_not_help(pool, monkeypatch):
    monkeypatch.setattr(process_pool, "MAX_DEATHS", 2)
    serving = pool(max_faults=2).ready()
    broken = serving.workers[0]
    # the second fault ends process 0, and the picture is given to process 1
    assert [serving.ask(FAULT).status_code for _ in range(2)] == [500, 500]
    until(lambda: serving.workers[0] is not broken)
    serving.ready()
    assert serving.right(b"a") and serving.right(b"ab") and not serving.failures
    # no answer between two ends of a process
    while not serving.failures:
        serving.ask(FAULT)
    message = str(serving.failures[0])
    assert message.startswith("model process ") and "ended 2 times in a row, lastly: the model failed on 2 batch" in message


def test_a_process_that_does_not_start_again_ends_the_server(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(process_pool, "MAX_DEATHS", 2)
    serving = pool().ready()
    (tmp_path / DIES).touch()
    serving.kill(0)
    until(lambda: serving.failures)
    assert str(serving.failures[0]) == "model process 0 ended 2 times in a row, lastly: ended with exit code 3"


def test_a_model_that_cannot_be_loaded_at_first_ends_the_server_at_once(pool):
    serving = pool(Path("/nowhere/InputError"))
    until(lambda: serving.failures)
    assert (type(serving.failures[0]), str(serving.failures[0])) == (InputError, "/nowhere/InputError: no model")
    assert serving.client.get("/ping").status_code == 503
    assert serving.ask(b"a").json() == {"error": "the model is being loaded"}


def test_models_are_loaded_into_every_process_and_again_when_it_restarts(pool, tmp_path):
    serving = pool(None, multi_model=True).ready()
    client = serving.client

    def load(name: str, folder: Path) -> int:
        return client.post("/models", json={"model_name": name, "url": str(folder)}).status_code

    assert [load("a", tmp_path), load("b", tmp_path), load("a", tmp_path)] == [200, 200, 409]
    assert load("c", Path("/nowhere/InputError")) == 400 and load("c", Path("/nowhere/NotEnoughMemory")) == 507
    assert [model["modelName"] for model in client.get("/models").json()["models"]] == ["a", "b"]
    assert client.delete("/models/a").status_code == 200
    assert [worker.models for worker in serving.workers] == [{"b"}, {"b"}]
    serving.kill(0)
    serving.ready()
    assert [worker.models for worker in serving.workers] == [{"b"}, {"b"}]
    assert all(serving.right(picture, "/models/b/invoke") for picture in (b"a", b"ab", b"abc"))
    assert all(worker.pictures for worker in serving.workers)
    assert serving.ask(b"a", "/models/a/invoke").status_code == 404 and load("a", tmp_path) == 200


def test_processes_are_as_many_as_visible_gpus_and_see_one_each(monkeypatch):
    monkeypatch.setattr(process_pool, "gpu_count", lambda: 4)
    monkeypatch.setattr(process_pool, "core_count", lambda: 12)
    assert process_count(settings_of(device="auto"), {}) == 4
    assert process_count(settings_of(device="cuda"), {"CUDA_VISIBLE_DEVICES": "2,0"}) == 2
    assert process_count(settings_of(device="auto"), {"CUDA_VISIBLE_DEVICES": ""}) == 1
    assert [process_count(settings_of(device=device), {}) for device in ("cpu", "cuda:1")] == [1, 1]
    assert process_count(settings_of(device="cpu", processes=3), {}) == 3
    variables = process_variables(3, "auto", {"CUDA_VISIBLE_DEVICES": "2,0", "A": "b"})
    assert [own["CUDA_VISIBLE_DEVICES"] for own in variables] == ["2", "0", "2"]
    assert {own["OMP_NUM_THREADS"] for own in variables} == {"4"} and {own["A"] for own in variables} == {"b"}
    assert process_variables(1, "cpu", {"OMP_NUM_THREADS": "7"}) == [{"OMP_NUM_THREADS": "7"}]


def test_restarts_in_a_row_wait_longer_and_longer():
    assert [pause(deaths) for deaths in (1, 2, 3, 4, 99)] == [0, 0.5, 1, 2, 30]
