"""Pictures of many requests, decoded side by side and answered in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy as np


class Batcher:
    """Call it with a picture; a batch goes to the model when it is full, when no other picture is on its way, or when
    its first has waited max_wait seconds. No more pictures are held decoded than two batches and what is being
    decoded."""

    def __init__(
        self,
        look: Callable[[bytes, int], Any],
        answer: Callable[[Sequence[Any]], np.ndarray],
        per_batch: int,
        max_wait: float,
        decoders: Executor,
        number_of_decoders: int,
        model_thread: Executor,
        on_batch: Callable[[int], None],
    ):
        """look: decodes a picture, in a thread of decoders; answer: rows of probabilities of decoded ones, in
        model_thread; on_batch: hears the size of each batch."""
        self.look, self.answer, self.on_batch = look, answer, on_batch
        self.per_batch, self.max_wait = per_batch, max_wait
        self.decoders, self.model_thread = decoders, model_thread
        self.decoded = asyncio.Semaphore(2 * per_batch + number_of_decoders)
        self.coming = 0
        self.ready: asyncio.Queue[tuple[float, Any, asyncio.Future[np.ndarray]]] = asyncio.Queue()
        self.task = asyncio.create_task(self._run())

    async def __call__(self, picture: bytes, row: int) -> np.ndarray:
        """Probabilities, float32 (classes,). row: place of the picture in its request. What look raises."""
        loop = asyncio.get_running_loop()
        self.coming += 1
        try:
            await self.decoded.acquire()
        except asyncio.CancelledError:
            self.coming -= 1
            raise
        try:
            try:
                seen = await loop.run_in_executor(self.decoders, self.look, picture, row)
            finally:
                self.coming -= 1
            answer: asyncio.Future[np.ndarray] = loop.create_future()
            self.ready.put_nowait((loop.time(), seen, answer))
            return await answer
        finally:
            self.decoded.release()

    def close(self) -> None:
        """Answers no more."""
        self.task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.ready.get()]
            wait_until = batch[0][0] + self.max_wait
            while len(batch) < self.per_batch and (self.coming or not self.ready.empty()):
                try:
                    async with asyncio.timeout_at(wait_until):
                        batch.append(await self.ready.get())
                except TimeoutError:
                    break
            asked = [(seen, answer) for _, seen, answer in batch if not answer.done()]  # done: its client gave up
            if not asked:
                continue
            self.on_batch(len(asked))
            try:
                rows = await loop.run_in_executor(self.model_thread, self.answer, [seen for seen, _ in asked])
            except Exception as error:
                for _, answer in asked:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for row, (_, answer) in zip(rows, asked, strict=True):
                if not answer.done():
                    answer.set_result(row)
