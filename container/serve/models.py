"""The loaded models: one from the start, or several that requests load and unload by name (multi-model endpoints)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from container.serve.batching import Batcher
from container.serve.health import ModelHealth
from container.serve.telemetry import Counters
from model.settings.serve import ServeSettings

if TYPE_CHECKING:  # it imports numpy, pandas and Pillow
    from container.serve.served_model import ServedModel

T = TypeVar("T")

ONLY_MODEL = ""  # the name of the model that the server starts with


class AlreadyLoaded(Exception):
    """A model of that name is loaded, or being loaded."""


@dataclass
class LoadedModel:
    """A model that answers requests.

    Attributes:
        url: The folder from which it was loaded.
        model: The model.
        batcher: What predicts with it.
        users: Number of requests that it is answering.
    """

    url: str
    model: ServedModel
    batcher: Batcher
    users: int = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The model is not unloaded meanwhile."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


class LoadedModels:
    """The models by name. They share one thread that computes and the threads that decode.

    Args:
        settings: The server's settings.
        counters: Counts their batches.
        health: Counts their faults.
    """

    def __init__(self, settings: ServeSettings, counters: Counters, health: ModelHealth):
        self.settings, self.counters, self.health = settings, counters, health
        self.num_decoders = max(1, settings.num_workers)
        if settings.num_workers < 0:
            self.num_decoders = _core_count()
        self.decoders = ThreadPoolExecutor(self.num_decoders, "decode")
        self.model_thread = ThreadPoolExecutor(1, "model")
        self.loaded: dict[str, LoadedModel] = {}
        self.loading: set[str] = set()

    async def load(self, name: str, folder: Path | None) -> LoadedModel:
        """Loads a model and predicts once with it.

        Args:
            name: Its name here.
            folder: Its folder, None for those of the settings.

        Raises:
            AlreadyLoaded: There is a model of that name.
            Exception: What ServedModel raises.
        """
        if name in self.loaded or name in self.loading:
            raise AlreadyLoaded(f"a model {name!r} is loaded already")
        self.loading.add(name)
        try:
            model = await in_daemon_thread(_load, folder, self.settings)
        finally:
            self.loading.discard(name)
        batcher = Batcher(
            model.prepare,
            self.health.watched(model.predict),
            model.batch_size,
            self.settings.max_wait_ms / 1000,
            self.decoders,
            self.num_decoders,
            self.model_thread,
            self.counters.batches.observe,
        )
        self.loaded[name] = LoadedModel(str(folder), model, batcher)
        return self.loaded[name]

    async def unload(self, name: str) -> None:
        """Unloads a model once its requests are answered. KeyError if there is none of that name."""
        loaded = self.loaded.pop(name)
        while loaded.users:
            await asyncio.sleep(0.01)
        loaded.batcher.close()
        await in_daemon_thread(loaded.model.release_memory)

    async def close(self) -> None:
        """Stops all models and threads."""
        for loaded in self.loaded.values():
            loaded.batcher.close()
        self.decoders.shutdown(wait=False, cancel_futures=True)
        self.model_thread.shutdown(wait=False, cancel_futures=True)


async def in_daemon_thread(function: Callable[..., T], *arguments: object) -> T:
    """The result of a function, from a thread that the end of the process does not wait for, as it would for those of
    asyncio.to_thread: loading may take longer than SageMaker waits."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            set_answer, value = answer.set_result, function(*arguments)
        except Exception as error:
            set_answer, value = answer.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: answer.done() or set_answer(value))

    threading.Thread(target=run, daemon=True).start()
    return await answer


def import_libraries() -> None:
    """Imports the libraries that the first load would wait for, torch among them where it is installed."""
    import container.serve.served_model  # noqa: F401
    from model.prediction.backends import import_torch

    import_torch()


def _load(folder: Path | None, settings: ServeSettings) -> ServedModel:
    from container.serve.served_model import ServedModel

    return ServedModel(folder, settings)


def _core_count() -> int:
    from joblib import cpu_count

    return int(cpu_count())
