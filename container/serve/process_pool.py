"""ProcessPool: models in several model processes, one per GPU, behind one server."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from container.serve import models
from container.serve.channel import ModelInfo, ProcessStart
from container.serve.errors import Unavailable
from container.serve.machine_lock import lock_file
from container.serve.models import ONLY_MODEL, AlreadyLoaded, LoadedModel, core_count, decoder_count
from container.serve.telemetry import Counters, ProcessCounters
from container.serve.worker import ProcessDied, Worker
from container.torchrun import divided_gpus, own_gpu
from model.errors import Failure
from model.settings.serve import ServeSettings

if TYPE_CHECKING:
    import numpy as np

TRIES = 2  # processes that are given an image: one that kills them must not go through all
MAX_DEATHS = 6  # of a process in a row, each before it answered an image or was ready for STAYS_SECONDS
STAYS_SECONDS = 60.0
FIRST_PAUSE, MAX_PAUSE = 1.0, 30.0  # seconds before a restart: the first of the second in a row, doubled for each more

log = logging.getLogger("rarebird")


def process_variables(processes: int, device: str, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The environment variables of each model process: it sees one GPU, and computes with its share of the cores."""
    gpus, threads = divided_gpus(device, variables), str(max(1, core_count() // processes))
    return [{"OMP_NUM_THREADS": threads, **variables, **own_gpu(number, gpus)} for number in range(processes)]


class RemotePredictor:
    """Predicts with a model in the processes of a pool."""

    def __init__(self, pool: ProcessPool, name: str):
        self.pool, self.name = pool, name

    async def __call__(self, picture: bytes, row: int) -> np.ndarray:
        return await self.pool.predict(self.name, picture, row)

    def close(self) -> None:
        """Does nothing: the pool unloads the model."""


class ProcessPool:
    """Models by name, each loaded by every process. A process that ends is restarted.

    Args:
        settings: The server's settings.
        counters: Counts batches, faults, and what each process does.
        on_failure: Called with the exception if a process cannot be started, or does not stay.
        processes: Number of processes.
        variables: Environment variables.
    """

    def __init__(
        self,
        settings: ServeSettings,
        counters: Counters,
        on_failure: Callable[[Exception], None],
        processes: int,
        variables: Mapping[str, str] = os.environ,
    ):
        self.counters, self.on_failure = counters, on_failure
        self.multi_model = settings.multi_model
        # threads that decode are divided among the processes
        self.settings = dataclasses.replace(settings, num_workers=max(1, decoder_count(settings) // processes))
        self.variables = process_variables(processes, settings.device, variables)
        self.workers = [Worker(number, self._on_event) for number in range(processes)]
        self.loaded: dict[str, LoadedModel] = {}
        self.loading: set[str] = set()
        self.folders: dict[str, Path | None] = {}  # of the models that each process loads when it starts
        self.changing = asyncio.Lock()  # held while models are loaded or unloaded, or a process becomes ready
        self.keepers: list[asyncio.Task[None]] = []
        self.lock_file = lock_file()
        self.process_counters = ProcessCounters(
            counters.registry,
            processes,
            lambda number: self.workers[number].is_ready,
            lambda number: self.workers[number].memory(),
        )

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered: by one process at least."""
        return any(worker.is_ready for worker in self.workers)

    async def start(self, folder: Path | None) -> None:
        """Starts the processes. Errors of theirs go to on_failure.

        Args:
            folder: The folder of the model, None for those of the settings; in multi-model mode it is not used.
        """
        if not self.multi_model:
            self.folders[ONLY_MODEL] = folder
        self.keepers = [asyncio.create_task(self._keep(number)) for number in range(len(self.workers))]

    async def predict(self, name: str, picture: bytes, row: int) -> np.ndarray:
        """Probabilities of an image, float32 (classes,), by the process that has the least to do.

        Args:
            name: The model.
            image: Its bytes.
            row: Its position in its request.

        Raises:
            RequestError: The image cannot be read.
            Unavailable: No process is ready, or those that were given the image ended.
        """
        for _ in range(TRIES):
            ready = [worker for worker in self.workers if worker.is_ready]
            if not ready:
                raise Unavailable("no model process is ready; it is being restarted")
            worker = min(ready, key=lambda worker: (len(worker.pending), worker.pictures))
            try:
                probabilities: np.ndarray = await worker.call("predict", name, row, payload=picture)
            except ProcessDied:
                continue
            worker.pictures += 1
            self.process_counters.pictures.labels(str(worker.number)).inc()
            return probabilities
        raise Unavailable(f"{TRIES} model processes ended while they had this image")

    async def load(self, name: str, folder: Path | None) -> LoadedModel:
        """Loads a model into every process.

        Raises:
            AlreadyLoaded: There is a model of that name.
            Unavailable: No process is ready.
            Exception: What ServedModel raises.
        """
        if name in self.loaded or name in self.loading:
            raise AlreadyLoaded(f"a model {name!r} is loaded already")
        self.loading.add(name)
        try:
            async with self.changing:
                ready = [worker for worker in self.workers if worker.is_ready]
                calls = [self._load_into(worker, name, folder, len(ready)) for worker in ready]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                infos = [info for info in outcomes if isinstance(info, ModelInfo)]
                refused = [error for error in outcomes if not isinstance(error, (ModelInfo, ProcessDied))]
                if refused or not infos:
                    # all processes or none
                    await self._unload(name, [w for w, info in zip(ready, outcomes) if isinstance(info, ModelInfo)])
                    raise refused[0] if refused else Unavailable("no model process is ready")
                self.folders[name] = folder
                self.loaded[name] = self._loaded_model(name, folder, infos[0])
        finally:
            self.loading.discard(name)
        return self.loaded[name]

    async def unload(self, name: str) -> None:
        """Unloads a model once its requests are answered. KeyError if there is none of that name."""
        loaded = self.loaded.pop(name)
        await loaded.unused()
        async with self.changing:
            self.folders.pop(name, None)
            await self._unload(name, self.workers)

    async def close(self) -> None:
        """Ends all processes."""
        for keeper in self.keepers:
            keeper.cancel()
        await asyncio.gather(*self.keepers, return_exceptions=True)
        self.lock_file.close()

    async def _keep(self, number: int) -> None:
        """Starts a process, and again whenever it ends, until it does not stay."""
        deaths, is_first = 0, True
        while True:
            worker = self.workers[number] = Worker(number, self._on_event)
            try:
                reason, stayed = await self._run(worker, len(self.workers) if is_first else 1)
            except Exception as error:
                if is_first:  # the server ends with it, as where it loads the model itself
                    self.on_failure(error)
                    return
                reason, stayed = f"{type(error).__name__}: {error}", False
            finally:
                await worker.kill()
            is_first = False
            deaths = 1 if stayed else deaths + 1
            if deaths >= MAX_DEATHS:
                self.on_failure(Failure(f"model process {number} ended {deaths} times in a row, lastly: {reason}"))
                return
            log.warning("model process %d ended and is restarted: %s", number, reason)
            self.process_counters.restarts.labels(str(number)).inc()
            await asyncio.sleep(pause(deaths))

    async def _run(self, worker: Worker, copies: int) -> tuple[str, bool]:
        """Runs a process until it ends.

        Args:
            worker: The process, not started yet.
            copies: Number of processes that start at the same time.

        Returns:
            How it ended, and whether restarting it helps: it answered an image, or was ready for a while.

        Raises:
            Exception: What ServedModel raises.
        """
        start = ProcessStart(self.settings, models.make_served_model, models.import_libraries)
        ready_since = math.inf
        await worker.start(start, self.variables[worker.number], self.lock_file.fileno())
        with suppress(ProcessDied):
            await self._make_ready(worker, copies)
            ready_since = time.monotonic()
        reason = await worker.ended()
        was_idle = not worker.is_broken and time.monotonic() - ready_since > STAYS_SECONDS
        return reason, worker.pictures > 0 or was_idle

    async def _make_ready(self, worker: Worker, copies: int) -> None:
        """Loads the models of this server into a process that has started.

        Raises:
            ProcessDied: It has ended.
            Exception: What ServedModel raises.
        """
        if self.multi_model:
            await worker.call("import_libraries")
        await self._load_missing(worker, copies)
        async with self.changing:
            # those that were loaded or unloaded meanwhile
            await self._load_missing(worker, 1)
            for name in worker.models - set(self.folders):
                await self._unload(name, [worker])
            worker.is_ready = not worker.has_ended
        log.info("model process %d of %d is ready", worker.number, len(self.workers))

    async def _load_missing(self, worker: Worker, copies: int) -> None:
        for name, folder in tuple(self.folders.items()):
            if name not in worker.models:
                info = await self._load_into(worker, name, folder, copies)
                if name == ONLY_MODEL and name not in self.loaded:
                    self.loaded[name] = self._loaded_model(name, folder, info)
                    log.info("ready; model %s", info)

    async def _load_into(self, worker: Worker, name: str, folder: Path | None, copies: int) -> ModelInfo:
        info: ModelInfo = await worker.call("load", name, folder, copies)
        worker.models.add(name)
        return info

    def _loaded_model(self, name: str, folder: Path | None, info: ModelInfo) -> LoadedModel:
        return LoadedModel(str(folder), info, RemotePredictor(self, name))

    async def _unload(self, name: str, workers: list[Worker]) -> None:
        own = [worker for worker in workers if name in worker.models]
        for worker in own:
            worker.models.discard(name)
        await asyncio.gather(*(worker.call("unload", name) for worker in own), return_exceptions=True)

    def _on_event(self, name: str, value: Any) -> None:
        if name == "batch":
            self.counters.batches.observe(value)
        elif name == "fault":
            self.counters.faults.inc()


def pause(deaths: int) -> float:
    """Seconds before a restart, by the number of deaths in a row."""
    return 0.0 if deaths < 2 else min(MAX_PAUSE, FIRST_PAUSE * 2 ** (deaths - 2))
