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
from typing import Any

from container.serve import models
from container.serve.channel import ModelInfo, ProcessStart
from container.serve.errors import Unavailable
from container.serve.machine_lock import lock_file
from container.serve.models import ONLY_MODEL, AlreadyLoaded, LoadedModel, core_count, decoder_count
from container.serve.responses import ImagePrediction
from container.serve.telemetry import Counters, ProcessCounters
from container.serve.worker import ProcessDied, Worker
from container.torchrun import divided_gpus, own_gpu
from model.errors import Failure
from model.settings.serve import ServeSettings

TRIES = 2  # processes that try to predict an image; not all, since the image may be what kills them
MAX_DEATHS = 6  # of a process in a row, each before it predicted an image or was ready for STAYS_SECONDS
STAYS_SECONDS = 60.0
FIRST_PAUSE, MAX_PAUSE = 1.0, 30.0  # seconds before the second restart in a row, doubled for each further one

log = logging.getLogger("rarebird")


def process_variables(processes: int, device: str, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The environment variables of each model process, which give it one GPU and its share of the cores.

    Args:
        processes: Number of model processes.
        device: The setting of the same name.
        variables: The environment variables of the server.
    """
    gpus, threads = divided_gpus(device, variables), str(max(1, core_count() // processes))
    return [{"OMP_NUM_THREADS": threads, **variables, **own_gpu(number, gpus)} for number in range(processes)]


class RemotePredictor:
    """Predicts images with a model in the processes of a pool."""

    def __init__(self, pool: ProcessPool, name: str):
        self.pool, self.name = pool, name

    async def __call__(self, image: bytes, row: int, metadata: Mapping[str, Any] | None = None) -> ImagePrediction:
        return await self.pool.predict(self.name, image, row, metadata)

    def close(self) -> None:
        """Does nothing, since the pool unloads the model."""


class ProcessPool:
    """Models by name, each loaded in every process. A process that ends is restarted.

    Args:
        settings: The server's settings.
        counters: Counts batches, failed batches, and images and restarts of each process.
        on_failure: Called with the exception if a process cannot be started, or ends MAX_DEATHS times in a row.
        processes: Number of processes.
        variables: Environment variables of the server.
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
        # the processes share the threads that decode
        self.settings = dataclasses.replace(settings, num_workers=max(1, decoder_count(settings) // processes))
        self.variables = process_variables(processes, settings.device, variables)
        self.workers = [Worker(number, self._on_event) for number in range(processes)]
        self.loaded: dict[str, LoadedModel] = {}
        self.loading: set[str] = set()
        self.folders: dict[str, Path | None] = {}  # the models that each process loads when it starts
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
        """Whether at least one process can answer requests."""
        return any(worker.is_ready for worker in self.workers)

    async def start(self, folder: Path | None) -> None:
        """Starts the processes. Their errors are passed to on_failure.

        Args:
            folder: The folder of the model; None for the models that the settings name. Not used in multi-model mode.
        """
        if not self.multi_model:
            self.folders[ONLY_MODEL] = folder
        self.keepers = [asyncio.create_task(self._keep(number)) for number in range(len(self.workers))]

    async def predict(
        self, name: str, image: bytes, row: int, metadata: Mapping[str, Any] | None = None
    ) -> ImagePrediction:
        """Predicts an image in the process with the fewest unfinished calls.

        Args:
            name: Name of the model.
            image: The encoded image.
            row: Its position in its request.

        Returns:
            Its prediction.

        Raises:
            RequestError: The image cannot be read.
            Unavailable: No process is ready, or each that tried to predict the image ended.
        """
        for _ in range(TRIES):
            ready = [worker for worker in self.workers if worker.is_ready]
            if not ready:
                raise Unavailable("no model process is ready; they are being restarted")
            worker = min(ready, key=lambda worker: (len(worker.pending), worker.images))
            try:
                predicted: ImagePrediction = await worker.call("predict", name, row, metadata, payload=image)
            except ProcessDied:
                continue
            worker.images += 1
            self.process_counters.images.labels(str(worker.number)).inc()
            return predicted
        raise Unavailable(f"{TRIES} model processes ended while they predicted this image")

    async def load(self, name: str, folder: Path | None) -> LoadedModel:
        """Loads a model in every process.

        Args:
            name: The name for requests.
            folder: Its folder; None for the models that the settings name.

        Raises:
            AlreadyLoaded: There is a model with that name.
            Unavailable: No process is ready.
            Exception: Any exception of ServedModel.
        """
        if name in self.loaded or name in self.loading:
            raise AlreadyLoaded(f"a model with the name {name!r} is already loaded")
        self.loading.add(name)
        try:
            async with self.changing:
                ready = [worker for worker in self.workers if worker.is_ready]
                calls = [self._load_into(worker, name, folder, len(ready)) for worker in ready]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                infos = [info for info in outcomes if isinstance(info, ModelInfo)]
                refused = [error for error in outcomes if not isinstance(error, (ModelInfo, ProcessDied))]
                if refused or not infos:
                    # load it in all processes or in none
                    await self._unload(name, [w for w, info in zip(ready, outcomes) if isinstance(info, ModelInfo)])
                    raise refused[0] if refused else Unavailable("no model process is ready")
                self.folders[name] = folder
                self.loaded[name] = self._loaded_model(name, folder, infos[0])
        finally:
            self.loading.discard(name)
        return self.loaded[name]

    async def unload(self, name: str) -> None:
        """Unloads a model after its requests are answered. KeyError if there is no model with that name."""
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
        """Starts a process and restarts it when it ends, at most until it has ended MAX_DEATHS times in a row."""
        deaths, is_first = 0, True
        while True:
            worker = self.workers[number] = Worker(number, self._on_event)
            try:
                reason, stayed = await self._run(worker, len(self.workers) if is_first else 1)
            except Exception as error:
                if is_first:  # the server ends, as it does if it cannot load the model itself
                    self.on_failure(error)
                    return
                reason, stayed = f"{type(error).__name__}: {error}", False
            finally:
                await worker.kill()
            is_first = False
            deaths = 1 if stayed else deaths + 1
            if deaths >= MAX_DEATHS:
                self.on_failure(Failure(f"model process {number} ended {deaths} times in a row; last reason: {reason}"))
                return
            log.warning("model process %d ended and will be restarted: %s", number, reason)
            self.process_counters.restarts.labels(str(number)).inc()
            await asyncio.sleep(pause(deaths))

    async def _run(self, worker: Worker, copies: int) -> tuple[str, bool]:
        """Runs a process until it ends.

        Args:
            worker: The process, not started yet.
            copies: Number of processes that start at the same time.

        Returns:
            How it ended, and whether it worked before: it predicted an image, or was ready for STAYS_SECONDS.

        Raises:
            Exception: Any exception of ServedModel.
        """
        start = ProcessStart(self.settings, models.make_served_model, models.import_libraries)
        ready_since = math.inf
        await worker.start(start, self.variables[worker.number], self.lock_file.fileno())
        with suppress(ProcessDied):
            await self._make_ready(worker, copies)
            ready_since = time.monotonic()
        reason = await worker.ended()
        was_idle = not worker.is_broken and time.monotonic() - ready_since > STAYS_SECONDS
        return reason, worker.images > 0 or was_idle

    async def _make_ready(self, worker: Worker, copies: int) -> None:
        """Loads the models of this server in a process that has started.

        Args:
            worker: The process.
            copies: Number of processes that load them at the same time.

        Raises:
            ProcessDied: It has ended.
            Exception: Any exception of ServedModel.
        """
        if self.multi_model:
            await worker.call("import_libraries")
        await self._load_missing(worker, copies)
        async with self.changing:
            # load and unload what requests have changed meanwhile
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
