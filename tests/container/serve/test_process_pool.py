"""Several model processes behind one server: retries, restarts, several models, and which GPU each process sees."""

from __future__ import annotations

import asyncio
import base64
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

from container import torchrun
from container.serve import models, process_pool
from container.serve.app import Server
from container.serve.channel import ModelInfo
from container.serve.process_pool import MAX_DEATHS, ProcessPool, pause, process_variables
from container.serve.telemetry import Counters
from container.serve.worker import Worker
from container.supervise import children
from model.errors import Failure, InputError
from tests.container.http.server_process import until
from tests.container.serve.conftest import settings_of
from tests.container.serve.stub_model import (
    BAD,
    FAULT,
    KILL,
    ONE,
    SUFFIX,
    WAIT,
    StubModel,
    import_nothing,
    stub_probabilities,
    stub_server_process,
)

IMAGE = {"Content-Type": "image/png"}


class Pool:
    """A server in this process whose model processes have stubs as their models."""

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

    def ask(self, image: bytes, path: str = "/invocations") -> httpx.Response:
        return self.client.post(path, content=image, headers=IMAGE)

    def right(self, image: bytes, path: str = "/invocations") -> bool:
        """Whether an image gets the prediction of the stub."""
        answer = self.ask(image, path)
        assert answer.status_code == 200, answer.text
        return np.allclose(answer.json()["probabilities"], stub_probabilities(image), atol=1e-7)

    def kill(self, *numbers: int) -> None:
        """Kills processes and waits until the server has noticed."""
        killed = [self.workers[number] for number in numbers]
        for worker in killed:
            os.kill(worker.process.pid, signal.SIGKILL)
        until(lambda: all(worker.has_ended for worker in killed))

    def metric(self, name: str, process: int) -> float:
        start = f'rarebird_process_{name}{{process="{process}"}} '
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.removeprefix(start)) for line in lines if line.startswith(start))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Pool]]:
    """Starts servers. They end after the tests of the module."""
    pools: list[Pool] = []
    folder = tmp_path_factory.mktemp("stub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "make_served_model", StubModel)
        patch.setattr(models, "import_libraries", import_nothing)

        def start(**values: object) -> Pool:
            pools.append(Pool(None if values.get("multi_model") else folder, **values))
            return pools[-1].ready()

        yield start
        for each in pools:
            each.client.__exit__(None, None, None)
            assert all(worker.process.returncode is not None for worker in each.workers)


@pytest.fixture(scope="module")
def four(pool: Callable[..., Pool]) -> Pool:
    return pool(processes=4, num_workers=32, timeout=20)


def test_32_clients_get_no_error_when_one_of_four_processes_is_killed(four, tmp_path):
    waiting = [WAIT + os.fsencode(tmp_path / f"go{number}") for number in range(32)]
    first = four.workers[0]
    with ThreadPoolExecutor(32) as clients:
        answers = [clients.submit(four.right, image) for image in waiting]
        until(lambda: [len(worker.pending) for worker in four.workers] == [8] * 4)
        four.kill(0)
        until(lambda: sum(len(worker.pending) for worker in four.workers if worker is not first) == 32)
        assert four.client.get("/ping").status_code == 200
        for number in range(32):
            (tmp_path / f"go{number}").touch()
        assert all(answer.result() for answer in answers)
    four.ready()
    assert four.workers[0] is not first and not four.failures
    counts = [[four.metric(name, number) for number in range(4)] for name in ("restarts_total", "pictures_total")]
    assert counts[0] == [1, 0, 0, 0] and sum(counts[1]) == 32


def test_metadata_reaches_the_model_of_a_process(four):
    items = [{"image": base64.b64encode(b"abc").decode(), SUFFIX: suffix} for suffix in ("", "d", 34)]
    predictions = four.client.post("/invocations", json=items).json()["predictions"]
    expected = [stub_probabilities(image) for image in (b"abc", b"abcd", b"abc34")]
    np.testing.assert_allclose([one["probabilities"] for one in predictions], expected, atol=1e-7)


def test_errors_are_the_same_as_with_one_process(four, monkeypatch):
    assert (four.ask(BAD).status_code, four.ask(BAD).json()) == (400, {"error": "cannot be read"})
    assert four.ask(FAULT).status_code == 500 and four.right(b"a")
    monkeypatch.setattr(four.server, "settings", settings_of(timeout=0.2))
    late = four.ask(WAIT + b"/nowhere/at/all")
    assert late.status_code == 503 and "within 0.2 s" in late.json()["error"]
    assert (four.server.images.used, four.server.bodies.used) == (0, 0)
    assert not any(worker.pending for worker in four.workers)
    lines = four.client.get("/metrics").text.splitlines()
    assert "rarebird_model_faults_total 1.0" in lines and 'rarebird_process_ready{process="3"} 1.0' in lines
    assert four.metric("memory_bytes", 3) > 10e6
    assert four.client.get("/execution-parameters").json() == {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 25}


def test_restarted_processes_load_all_models_again(pool, tmp_path, monkeypatch):
    serving = pool(processes=2, multi_model=True)
    client = serving.client

    def load(name: str, folder: Path) -> int:
        return client.post("/models", json={"model_name": name, "url": str(folder)}).status_code

    assert [load("a", tmp_path), load("b", tmp_path), load("a", tmp_path)] == [200, 200, 409]
    assert load("c", Path("/nowhere/InputError")) == 400 and load("c", Path("/nowhere/NotEnoughMemory")) == 507
    models_listed = [{"modelName": name, "modelUrl": str(tmp_path)} for name in ("a", "b")]
    assert client.get("/models").json() == {"models": models_listed}
    # the process that had enough memory unloads it again
    (tmp_path / ONE).mkdir()
    assert load("c", tmp_path / ONE) == 507 and [worker.models for worker in serving.workers] == [{"a", "b"}] * 2
    assert load("c", tmp_path) == 200 and client.delete("/models/c").status_code == 200
    assert client.delete("/models/a").status_code == 200
    assert [worker.models for worker in serving.workers] == [{"b"}, {"b"}]

    # two processes try to predict the image
    released = threading.Event()
    make_ready = ProcessPool._make_ready

    async def wait_until_released(own: ProcessPool, worker: Worker, copies: int) -> None:
        while not released.is_set():
            await asyncio.sleep(0.005)
        await make_ready(own, worker, copies)

    monkeypatch.setattr(ProcessPool, "_make_ready", wait_until_released)
    monkeypatch.setattr(process_pool, "pause", lambda deaths: 0)
    killed = serving.ask(KILL, "/models/b/invoke")
    assert (killed.status_code, killed.headers["retry-after"]) == (503, "1")
    assert killed.json()["error"] == "2 model processes ended while they predicted this image"

    # no process is ready
    late = serving.ask(b"a", "/models/b/invoke")
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")
    assert late.json()["error"] == "no model process is ready; they are being restarted"
    assert client.get("/ping").status_code == 503 and load("d", tmp_path) == 503
    released.set()

    serving.ready()
    assert client.get("/ping").status_code == 200 and not serving.failures
    assert [worker.models for worker in serving.workers] == [{"b"}, {"b"}]
    assert all(serving.right(image, "/models/b/invoke") for image in (b"a", b"ab", b"abc"))
    assert all(worker.images for worker in serving.workers)
    assert serving.ask(b"a", "/models/a/invoke").status_code == 404

    # models are loaded and unloaded while a process still loads the models from its start
    loads, changed, load_into = threading.Event(), threading.Event(), ProcessPool._load_into

    async def held_load(own: ProcessPool, worker: Worker, name: str, folder: Path, copies: int) -> ModelInfo:
        while name == "b" and not changed.is_set():
            loads.set()
            await asyncio.sleep(0.005)
        return await load_into(own, worker, name, folder, copies)

    monkeypatch.setattr(ProcessPool, "_load_into", held_load)
    serving.kill(0)
    until(loads.is_set)
    assert load("e", tmp_path) == 200 and client.delete("/models/b").status_code == 200
    changed.set()
    serving.ready()
    assert [worker.models for worker in serving.workers] == [{"e"}, {"e"}]
    assert [serving.right(image, "/models/e/invoke") for image in (b"a", b"ab")] == [True, True]


def runs(pid: int) -> bool:
    """Whether a process runs. One that has ended may still have to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_signals_end_the_server_and_all_its_processes(tmp_path):
    """After SIGTERM for the whole group, requests are answered. If the server is killed, all its processes end."""
    drained, killed = [stub_server_process(tmp_path, "--processes", "2") for _ in range(2)]
    try:
        drained.ready(), killed.ready()
        until(lambda: all(len(children(server.child.pid)) == 2 for server in (drained, killed)))
        processes = [pid for server in (drained, killed) for pid in children(server.child.pid)]
        killed.child.kill()
        with (
            ThreadPoolExecutor(1) as threads,
            httpx.Client(base_url=drained.url, headers=IMAGE, timeout=60) as client,
        ):
            answer = threads.submit(client.post, "/invocations", content=WAIT + os.fsencode(tmp_path / "go"))
            until(lambda: drained.counted("rarebird_waiting_pictures") == 1)
            for pid in (*children(drained.child.pid), drained.child.pid):
                os.kill(pid, signal.SIGTERM)
            until(lambda: drained.ping() == 0)
            (tmp_path / "go").touch()
            assert answer.result().status_code == 200
        assert drained.child.wait(60) == 0, drained.output()
        until(lambda: not any(map(runs, processes)))
    finally:
        drained.end()
        killed.end()


async def keep(monkeypatch: pytest.MonkeyPatch, *runs: tuple[str, bool] | Exception) -> tuple[list[Exception], int]:
    """Returns the failures that end a server, and how often its process 0 ran. runs: how each run of process 0 ends."""
    left = list(runs)

    async def run(self: ProcessPool, worker: Worker, copies: int) -> tuple[str, bool]:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(ProcessPool, "_run", run)
    monkeypatch.setattr(process_pool, "pause", lambda deaths: 0)
    failures: list[Exception] = []
    pool = ProcessPool(settings_of(), Counters(), failures.append, 1)
    await pool._keep(0)
    await pool.close()
    return failures, len(runs) - len(left)


def test_six_deaths_of_a_process_in_a_row_end_the_server(monkeypatch):
    died, stayed = ("was killed", False), ("was killed", True)
    failures, runs = asyncio.run(keep(monkeypatch, *[died] * 9))
    assert runs == MAX_DEATHS == 6 and type(failures[0]) is Failure
    assert str(failures[0]) == "model process 0 ended 6 times in a row; last reason: was killed"
    # it predicted in between, or its model cannot be loaded again
    lost = InputError("there is no such folder")
    failures, runs = asyncio.run(keep(monkeypatch, *[died] * 5, stayed, *[died] * 4, lost, died))
    assert runs == 11 and str(failures[0]).endswith(
        "6 times in a row; last reason: InputError: there is no such folder"
    )


@pytest.mark.parametrize(
    ("images", "is_broken", "seconds", "stayed"),
    [(0, False, 60, False), (1, False, 60, True), (1, True, 60, True), (0, False, -1, True), (0, True, -1, False)],
)
def test_a_process_worked_if_it_predicted_or_was_ready_for_a_while(monkeypatch, images, is_broken, seconds, stayed):
    class Ended(Worker):
        async def start(self, *_: object) -> None:
            self.images, self.is_broken = images, is_broken

        async def ended(self) -> str:
            return "was killed"

    async def run() -> tuple[str, bool]:
        pool = ProcessPool(settings_of(), Counters(), pytest.fail, 1)
        try:
            return await pool._run(Ended(0, pytest.fail), 1)
        finally:
            await pool.close()

    monkeypatch.setattr(process_pool, "STAYS_SECONDS", seconds)
    assert asyncio.run(run()) == ("was killed", stayed)


def test_a_model_that_cannot_be_loaded_at_the_start_ends_the_server(monkeypatch):
    error = InputError("there is no such folder")
    assert asyncio.run(keep(monkeypatch, error, error)) == ([error], 1)


def test_processes_see_one_gpu_each_and_share_the_cores(monkeypatch):
    monkeypatch.setattr(torchrun, "gpu_count", lambda: 4)
    monkeypatch.setattr(process_pool, "core_count", lambda: 12)
    variables = process_variables(3, "auto", {"CUDA_VISIBLE_DEVICES": "2,0", "A": "b"})
    assert [own["CUDA_VISIBLE_DEVICES"] for own in variables] == ["2", "0", "2"]
    assert {own["OMP_NUM_THREADS"] for own in variables} == {"4"} and {own["A"] for own in variables} == {"b"}
    assert [own["CUDA_VISIBLE_DEVICES"] for own in process_variables(2, "auto", {})] == ["0", "1"]
    named = process_variables(2, "auto", {"CUDA_VISIBLE_DEVICES": "GPU-1, GPU-2,-1,3"})
    assert [own["CUDA_VISIBLE_DEVICES"] for own in named] == ["GPU-1", "GPU-2"]
    assert process_variables(1, "cpu", {"OMP_NUM_THREADS": "7"}) == [{"OMP_NUM_THREADS": "7"}]
    assert process_variables(2, "cuda:1", {"OMP_NUM_THREADS": "7"}) == [{"OMP_NUM_THREADS": "7"}] * 2  # all on that GPU


def test_the_pause_doubles_with_each_restart_in_a_row():
    assert [pause(deaths) for deaths in (1, 2, 3, 4, 99)] == [0, 1, 2, 4, 30]
