"""Dynamic batching: images of many requests are decoded side by side and predicted in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Batcher:
    """Predicts one image per call. A batch goes to the model when it is full, when no other image is being decoded,
    or when its first image has waited max_wait seconds. At most two batches and what is being decoded are held
    decoded.

    Args:
        prepare: Decodes an image to the model's inputs, from its bytes and its row in the request; runs in `decoders`.
        predict: Probabilities, float32 (N, classes), of N images' inputs; runs in `model_thread`.
        batch_size: Most images in a batch.
        max_wait: Seconds.
        decoders: The threads that decode.
        num_decoders: Their number.
        model_thread: The one thread that computes.
        on_batch: Called with the size of each batch.
    """

    def __init__(
        self,
        prepare: Callable[[bytes, int], Any],
        predict: Callable[[Sequence[Any]], np.ndarray],
        batch_size: int,
        max_wait: float,
        decoders: Executor,
        num_decoders: int,
        model_thread: Executor,
        on_batch: Callable[[int], None],
    ):
        self.prepare, self.predict, self.on_batch = prepare, predict, on_batch
        self.batch_size, self.max_wait = batch_size, max_wait
        self.decoders, self.model_thread = decoders, model_thread
        self.decoded_slots = asyncio.Semaphore(2 * batch_size + num_decoders)
        self.undecoded = 0  # images that are waiting for a slot or being decoded
        self.queue: asyncio.Queue[tuple[float, Any, asyncio.Future[np.ndarray]]] = asyncio.Queue()
        self.task = asyncio.create_task(self._run())

    async def __call__(self, picture: bytes, row: int) -> np.ndarray:
        """Probabilities of an image, float32 (classes,). row: its position in its request. Raises what `prepare`
        raises."""
        loop = asyncio.get_running_loop()
        self.undecoded += 1
        try:
            await self.decoded_slots.acquire()
        except asyncio.CancelledError:
            self.undecoded -= 1
            raise
        try:
            try:
                inputs = await loop.run_in_executor(self.decoders, self.prepare, picture, row)
            finally:
                self.undecoded -= 1
            answer: asyncio.Future[np.ndarray] = loop.create_future()
            self.queue.put_nowait((loop.time(), inputs, answer))
            return await answer
        finally:
            self.decoded_slots.release()

    def close(self) -> None:
        """Stops answering."""
        self.task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # collect a batch
            batch = [await self.queue.get()]
            wait_until = batch[0][0] + self.max_wait
            while len(batch) < self.batch_size and (self.undecoded or not self.queue.empty()):
                try:
                    async with asyncio.timeout_at(wait_until):
                        batch.append(await self.queue.get())
                except TimeoutError:
                    break
            # leave out those whose clients have gone
            waiting = [(inputs, answer) for _, inputs, answer in batch if not answer.done()]
            if not waiting:
                continue
            self.on_batch(len(waiting))
            # predict, and hand each its row
            try:
                rows = await loop.run_in_executor(self.model_thread, self.predict, [inputs for inputs, _ in waiting])
            except Exception as error:
                for _, answer in waiting:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for row, (_, answer) in zip(rows, waiting, strict=True):
                if not answer.done():
                    answer.set_result(row)
