"""The models that answer: one from the start, or several that requests load and unload by name."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from container.serve.batching import Batcher
from container.serve.counters import Counters
from model.settings import ServeSettings

if TYPE_CHECKING:
    from container.serve.served import Served

ONLY = ""  # name of the one model


@dataclass(frozen=True)
class Loaded:
    url: str
    served: Served
    batcher: Batcher


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
        """Loads and warms up. KeyError where a model of that name is there or coming; what Served raises."""
        if name in self.loaded or name in self.loading:
            raise KeyError(name)
        self.loading.add(name)
        try:
            served = await asyncio.to_thread(_load, place, self.settings)
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
        batcher = self.loaded.pop(name).batcher
        await batcher.close()
        del batcher
        await asyncio.to_thread(_forget)

    async def close(self) -> None:
        """Lets go of all."""
        for loaded in self.loaded.values():
            loaded.batcher.task.cancel()
        self.decoders.shutdown(wait=False, cancel_futures=True)
        self.model_thread.shutdown(wait=False, cancel_futures=True)


def prepare() -> None:
    """Imports what a first load would wait for."""
    import container.serve.served  # noqa: F401


def _load(place: Path | None, settings: ServeSettings) -> Served:
    from container.serve.served import Served

    return Served(place, settings)


def _forget() -> None:
    from container.serve.served import forget

    forget()


def _cores() -> int:
    from model.hardware import core_count

    return core_count()
