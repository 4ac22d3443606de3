"""Dynamic batching: decodes the images of many requests in parallel and predicts them in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any


class Batcher:
    """Predicts one image per call. A batch is predicted when it is full, when no other image is being decoded, or when
    its first image has waited max_wait seconds. Besides the images that are being decoded, at most two batches of
    decoded images are in memory.

    Args:
        prepare: Decodes the bytes of an image to the model's inputs, given its row in the request and its metadata.
            Runs in `decoders`.
        predict: Returns the predictions of N images' inputs. Runs in `model_thread`.
        batch_size: Largest number of images in a batch.
        max_wait: Seconds that the first image of a batch waits for others.
        decoders: The threads that decode.
        num_decoders: Number of these threads.
        model_thread: The thread that runs the model.
        on_batch: Called with the size of each batch.
    """

    def __init__(
        self,
        prepare: Callable[[bytes, int, Mapping[str, Any]], Any],
        predict: Callable[[Sequence[Any]], Iterable[Any]],
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
        self.queue: asyncio.Queue[tuple[float, Any, asyncio.Future[Any]]] = asyncio.Queue()
        self.task = asyncio.create_task(self._run())

    async def __call__(self, image: bytes, row: int, metadata: Mapping[str, Any] | None = None) -> Any:
        """Predicts an image.

        Args:
            image: Its encoded bytes.
            row: Its position in its request.
            metadata: The metadata that was sent with it.

        Returns:
            Its prediction.

        Raises:
            Exception: Any exception of `prepare` and `predict`.
        """
        loop = asyncio.get_running_loop()
        # wait for a slot among the decoded images
        self.undecoded += 1
        try:
            await self.decoded_slots.acquire()
        except asyncio.CancelledError:
            self.undecoded -= 1
            raise
        try:
            # decode, then queue for the next batch
            try:
                inputs = await loop.run_in_executor(self.decoders, self.prepare, image, row, metadata or {})
            finally:
                self.undecoded -= 1
            answer: asyncio.Future[Any] = loop.create_future()
            self.queue.put_nowait((loop.time(), inputs, answer))
            return await answer
        finally:
            self.decoded_slots.release()

    def close(self) -> None:
        """Stops predicting."""
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
            # skip images whose clients have disconnected
            waiting = [(inputs, answer) for _, inputs, answer in batch if not answer.done()]
            if not waiting:
                continue
            self.on_batch(len(waiting))
            # predict, and give each image its row
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
