"""The models that answer: one from the start, or several that requests load and unload by name."""

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
from container.serve.served_model import Served
from container.serve.telemetry import Counters
from model.settings.serve import ServeSettings

if TYPE_CHECKING:
    from container.serve.served_model import Served

T = TypeVar("T")


class AlreadyLoaded(Exception):
    """A model of that name is loaded, or being loaded."""


ONLY = ""  # name of the one model


@dataclass
class Loaded:
    url: str
    served: Served
    batcher: Batcher
    users: int = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """It is not unloaded meanwhile."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


class Models:
    """By name. All share one thread that computes and the threads that decode."""

    def __init__(self, settings: ServeSettings, counters: Counters):
        self.settings, self.counters = settings, counters
        self.number_of_decoders = max(1, settings.num_workers)
        if settings.num_workers < 0:
            self.number_of_decoders = _cores()
        self.decoders = ThreadPoolExecutor(self.number_of_decoders, "decode")
        self.model_thread = ThreadPoolExecutor(1, "model")
        self.loaded: dict[str, Loaded] = {}
        self.loading: set[str] = set()

    async def load(self, name: str, place: Path | None) -> Loaded:
        """Loads and warms up. AlreadyLoaded; what Served raises."""
        if name in self.loaded or name in self.loading:
            raise AlreadyLoaded(f"a model {name!r} is loaded already")
        self.loading.add(name)
        try:
            served = await apart(_load, place, self.settings)
        finally:
            self.loading.discard(name)
        batcher = Batcher(
            served.look,
            served.answer,
            served.per_batch,
            self.settings.max_wait_ms / 1000,
            self.decoders,
            self.number_of_decoders,
            self.model_thread,
            self.counters.batches.observe,
        )
        self.loaded[name] = Loaded(str(place), served, batcher)
        return self.loaded[name]

    async def unload(self, name: str) -> None:
        """After what was asked of it is answered. KeyError where there is no such model."""
        loaded = self.loaded.pop(name)
        while loaded.users:
            await asyncio.sleep(0.01)
        loaded.batcher.close()
        del loaded
        await apart(_forget)

    async def close(self) -> None:
        """Lets go of all."""
        for loaded in self.loaded.values():
            loaded.batcher.close()
        self.decoders.shutdown(wait=False, cancel_futures=True)
        self.model_thread.shutdown(wait=False, cancel_futures=True)


async def apart(work: Callable[..., T], *arguments: object) -> T:
    """Its result, from a thread of its own, which the end of the process does not wait for (as it would for those of
    asyncio.to_thread): loading may take longer than SageMaker waits."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            tell, told = answer.set_result, work(*arguments)
        except Exception as error:
            tell, told = answer.set_exception, error  # type: ignore[assignment]
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: answer.done() or tell(told))

    threading.Thread(target=run, daemon=True).start()
    return await answer


def prepare() -> None:
    """Imports what a first load would wait for."""
    import container.serve.served_model  # noqa: F401


def _load(place: Path | None, settings: ServeSettings) -> Served:
    from container.serve.served_model import Served

    return Served(place, settings)


def _forget() -> None:
    from container.serve.served_model import forget

    forget()


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())
