"""The loaded models: one from the start, or several that clients load and unload by name (multi-model endpoints)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from container.serve.batching import Batcher
from container.serve.health import ModelHealth
from container.serve.responses import ImagePrediction
from model.decisions import Decision
from model.labels import Scheme
from model.settings.serve import ServeSettings

if TYPE_CHECKING:  # it imports numpy, pandas and Pillow
    from container.serve.served_model import ServedModel

T = TypeVar("T")
ModelMaker = Callable[[Path | None, ServeSettings, int], "ServedModel"]  # with the arguments of ServedModel

ONLY_MODEL = ""  # the name of the model that the server starts with

log = logging.getLogger("rarebird")


class AlreadyLoaded(Exception):
    """A model with that name is loaded or loading."""


class AnsweringModel(Protocol):
    """The attributes of a model that requests need: a ServedModel, or the ModelInfo of one in another process."""

    @property
    def scheme(self) -> Scheme: ...

    @property
    def decision(self) -> Decision: ...

    def release_memory(self) -> None: ...


class ImagePredictor(Protocol):
    """Predicts an image from its bytes, its row in the request and the metadata that was sent with it."""

    async def __call__(self, image: bytes, row: int, metadata: Mapping[str, Any] | None = None) -> ImagePrediction: ...

    def close(self) -> None: ...


@dataclass
class LoadedModel:
    """A model that answers requests.

    Attributes:
        url: The folder from which it was loaded.
        model: The model.
        batcher: Predicts images with it.
        users: Number of requests that use it now.
    """

    url: str
    model: AnsweringModel
    batcher: ImagePredictor
    users: int = 0

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Context in which the model is not unloaded."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1

    async def unused(self) -> None:
        """Waits until no request uses the model."""
        while self.users:
            await asyncio.sleep(0.01)


class LoadedModels:
    """The models of this process by name. They share the threads that decode and the one thread that predicts.

    Args:
        settings: The server's settings.
        on_batch: Called with the size of each batch.
        health: Counts failed batches of all models.
        make_model: Loads a model; by default a ServedModel.
    """

    def __init__(
        self,
        settings: ServeSettings,
        on_batch: Callable[[int], None],
        health: ModelHealth,
        make_model: ModelMaker | None = None,
    ):
        self.settings, self.on_batch, self.health, self.make_model = settings, on_batch, health, make_model
        self.num_decoders = decoder_count(settings)
        self.decoders = ThreadPoolExecutor(self.num_decoders, "decode")
        self.model_thread = ThreadPoolExecutor(1, "model")
        self.loaded: dict[str, LoadedModel] = {}
        self.loading: set[str] = set()
        self.is_started = False

    @property
    def is_ready(self) -> bool:
        """Whether the models can answer requests."""
        return self.is_started and not self.health.is_broken

    async def start(self, folder: Path | None) -> None:
        """Loads the model. In multi-model mode only imports the libraries that every model needs.

        Args:
            folder: The folder of the model; None for the models that the settings name.

        Raises:
            Exception: Any exception of ServedModel.
        """
        if self.settings.multi_model:
            await in_daemon_thread(import_libraries)
            log.info("ready to load models")
        else:
            log.info("ready; model %s", (await self.load(ONLY_MODEL, folder)).model)
        self.is_started = True

    async def load(self, name: str, folder: Path | None, copies: int = 1) -> LoadedModel:
        """Loads a model and predicts one image to check it.

        Args:
            name: The name for requests.
            folder: Its folder; None for the models that the settings name.
            copies: Number of processes of this machine that load it at the same time.

        Raises:
            AlreadyLoaded: There is a model with that name.
            Exception: Any exception of ServedModel.
        """
        if name in self.loaded or name in self.loading:
            raise AlreadyLoaded(f"a model with the name {name!r} is already loaded")
        self.loading.add(name)
        try:
            model = await in_daemon_thread(self.make_model or make_served_model, folder, self.settings, copies)
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
            self.on_batch,
        )
        self.loaded[name] = LoadedModel(str(folder), model, batcher)
        return self.loaded[name]

    async def unload(self, name: str) -> None:
        """Unloads a model after its requests are answered. KeyError if there is no model with that name."""
        loaded = self.loaded.pop(name)
        await loaded.unused()
        loaded.batcher.close()
        await in_daemon_thread(loaded.model.release_memory)

    async def close(self) -> None:
        """Stops all models and threads."""
        for loaded in self.loaded.values():
            loaded.batcher.close()
        self.decoders.shutdown(wait=False, cancel_futures=True)
        self.model_thread.shutdown(wait=False, cancel_futures=True)


async def in_daemon_thread(function: Callable[..., T], *arguments: object) -> T:
    """Runs a function in a daemon thread and returns its result. The process can end without waiting for it, unlike for
    threads of asyncio.to_thread: loading a model may take longer than SageMaker waits."""
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
    """Imports libraries in advance, so that the first load does not wait for them; torch too, if it is installed."""
    import container.serve.served_model  # noqa: F401
    from model.prediction.backends import import_torch

    import_torch()


def make_served_model(folder: Path | None, settings: ServeSettings, copies: int) -> ServedModel:
    from container.serve.served_model import ServedModel

    return ServedModel(folder, settings, copies)


def decoder_count(settings: ServeSettings) -> int:
    """Number of threads that decode, in all processes together."""
    return core_count() if settings.num_workers < 0 else max(1, settings.num_workers)


def core_count() -> int:
    from joblib import cpu_count

    return int(cpu_count())
