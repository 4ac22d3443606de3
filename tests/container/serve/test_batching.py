"""Images of many requests are predicted in batches, each gets its own row, and memory is limited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from container.serve.batching import Batcher


class Counting:
    """Predicts the length of an image and its row in its request; records the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.decoded = self.most_decoded = 0
        self.lock = threading.Lock()
        self.go = threading.Event()
        self.go.set()

    def prepare(self, image: bytes, row: int, metadata: object) -> tuple[int, int]:
        if image == b"bad":
            raise ValueError("bad")
        with self.lock:
            self.decoded += 1
            self.most_decoded = max(self.most_decoded, self.decoded)
        return len(image), row

    def predict(self, inputs: Sequence[tuple[int, int]]) -> np.ndarray:
        assert self.go.wait(30)
        with self.lock:
            self.decoded -= len(inputs)
        if any(length == 99 for length, _ in inputs):
            raise RuntimeError("the model failed")
        return np.array(inputs, np.float32)

    def batcher(self, batch_size: int, max_wait: float = 10.0) -> Batcher:
        threads = ThreadPoolExecutor(2)
        return Batcher(
            self.prepare, self.predict, batch_size, max_wait, threads, 2, ThreadPoolExecutor(1), self.batches.append
        )


def test_each_image_gets_its_own_row_and_batches_are_not_too_large():
    async def ask() -> list[np.ndarray]:
        batcher = model.batcher(4)
        model.go.clear()
        tasks = [asyncio.create_task(batcher(b"x" * length, length + 1)) for length in range(1, 31)]
        while model.decoded < 2 * 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        model.go.set()
        rows = await asyncio.gather(*tasks)
        batcher.close()
        return rows

    model = Counting()
    rows = asyncio.run(ask())
    np.testing.assert_array_equal(rows, [[length, length + 1] for length in range(1, 31)])
    assert max(model.batches) == 4 and sum(model.batches) == 30
    assert model.most_decoded <= 2 * 4 + 2


def test_a_single_image_does_not_wait_for_others():
    async def ask() -> None:
        batcher = model.batcher(8, max_wait=1000)
        async with asyncio.timeout(20):
            await batcher(b"x", 0)
            await batcher(b"x", 0)

    model = Counting()
    asyncio.run(ask())
    assert model.batches == [1, 1]


def test_a_bad_image_fails_its_own_request_and_an_error_its_whole_batch():
    async def ask() -> None:
        batcher = model.batcher(2)
        assert (await batcher(b"xy", 0)).tolist() == [2, 0]
        with pytest.raises(ValueError, match="bad"):
            await batcher(b"bad", 0)
        with pytest.raises(RuntimeError, match="the model failed"):
            await batcher(b"x" * 99, 0)
        assert (await batcher(b"xyz", 0)).tolist() == [3, 0]
        assert batcher.undecoded == 0

    model = Counting()
    asyncio.run(ask())


def test_cancelled_images_release_their_slots():
    async def ask() -> None:
        batcher = model.batcher(2)
        model.go.clear()
        tasks = [asyncio.create_task(batcher(b"x", row)) for row in range(20)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        model.go.set()
        assert batcher.undecoded == 0
        assert (await batcher(b"xyz", 5)).tolist() == [3, 5]
        batcher.close()

    model = Counting()
    asyncio.run(ask())
    assert sum(model.batches) < 20
