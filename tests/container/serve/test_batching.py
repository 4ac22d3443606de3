"""Pictures of many requests are gathered into batches, each is answered with its own, and nothing grows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from container.serve.app import Server
from container.serve.batching import Batcher
from container.serve.limits import Room, free_memory
from container.serve.models import Loaded
from container.serve.request_body import Asked
from model.settings.serve import ServeSettings


class Counting:
    """Answers a picture with its length and the place in its request; remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.decoded = self.most_decoded = 0
        self.lock = threading.Lock()
        self.go = threading.Event()
        self.go.set()

    def look(self, picture: bytes, row: int) -> tuple[int, int]:
        if picture == b"bad":
            raise ValueError("bad")
        with self.lock:
            self.decoded += 1
            self.most_decoded = max(self.most_decoded, self.decoded)
        return len(picture), row

    def answer(self, looks: Sequence[tuple[int, int]]) -> np.ndarray:
        assert self.go.wait(30)
        with self.lock:
            self.decoded -= len(looks)
        if any(length == 99 for length, _ in looks):
            raise RuntimeError("the model failed")
        return np.array(looks, np.float32)

    def batcher(self, per_batch: int, max_wait: float = 10.0) -> Batcher:
        threads = ThreadPoolExecutor(2)
        return Batcher(
            self.look, self.answer, per_batch, max_wait, threads, 2, ThreadPoolExecutor(1), self.batches.append
        )


def test_each_gets_its_own_answer_in_batches_no_larger_than_asked():
    async def ask() -> list[np.ndarray]:
        batcher = model.batcher(4)
        model.go.clear()
        tasks = [asyncio.create_task(batcher(b"x" * length, length + 1)) for length in range(1, 31)]
        while model.decoded < 2 * 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        model.go.set()
        found = await asyncio.gather(*tasks)
        batcher.close()
        return found

    model = Counting()
    found = asyncio.run(ask())
    np.testing.assert_array_equal(found, [[length, length + 1] for length in range(1, 31)])
    assert max(model.batches) == 4 and sum(model.batches) == 30
    assert model.most_decoded <= 2 * 4 + 2


def test_a_picture_on_its_own_waits_for_no_other():
    async def ask() -> None:
        batcher = model.batcher(8, max_wait=1000)
        async with asyncio.timeout(20):
            await batcher(b"x", 0)
            await batcher(b"x", 0)

    model = Counting()
    asyncio.run(ask())
    assert model.batches == [1, 1]


def test_a_bad_picture_is_told_to_its_own_request_and_a_fault_to_its_batch():
    async def ask() -> None:
        batcher = model.batcher(2)
        assert (await batcher(b"xy", 0)).tolist() == [2, 0]
        with pytest.raises(ValueError, match="bad"):
            await batcher(b"bad", 0)
        with pytest.raises(RuntimeError, match="the model failed"):
            await batcher(b"x" * 99, 0)
        assert (await batcher(b"xyz", 0)).tolist() == [3, 0]
        assert batcher.coming == 0

    model = Counting()
    asyncio.run(ask())


def test_those_who_gave_up_hold_nothing():
    async def ask() -> None:
        batcher = model.batcher(2)
        model.go.clear()
        tasks = [asyncio.create_task(batcher(b"x", row)) for row in range(20)]
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        model.go.set()
        assert batcher.coming == 0
        assert (await batcher(b"xyz", 5)).tolist() == [3, 5]
        batcher.close()

    model = Counting()
    asyncio.run(ask())
    assert sum(model.batches) < 20


def test_where_one_picture_of_a_request_fails_none_of_the_others_goes_on():
    async def batcher(picture: bytes, row: int) -> np.ndarray:
        if row == 3:
            raise RuntimeError("a fault")
        under_way.add(row)
        try:
            await asyncio.sleep(1000)
        finally:
            under_way.discard(row)

    async def ask() -> None:
        with server.pictures.share() as waiting, pytest.raises(ExceptionGroup, match="unhandled") as found:
            await server.answered(loaded, Asked([b"x"] * 9, [{}] * 9, alone=False), waiting)
        assert [str(error) for error in found.value.exceptions] == ["a fault"]
        assert not under_way and server.pictures.taken == 0

    under_way: set[int] = set()
    server, loaded = Server(ServeSettings(), None, pytest.fail), Loaded("", None, batcher)
    asyncio.run(ask())


def test_room_is_given_back_and_never_more_than_there_is():
    room = Room(10)
    with room.share() as one, room.share() as other:
        assert one.take(6) and not other.take(5) and other.take(4) and not one.take(1)
        assert room.taken == 10
    assert room.taken == 0


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    5 kB\n"}, 5120),
        ({"proc/meminfo": "MemAvailable: 5 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 5120),
        ({"sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "400\n"}, 600),
        (
            {
                "proc/meminfo": "MemAvailable: 5 kB\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "900",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "100",
            },
            800,
        ),
        (
            {
                "sys/fs/cgroup/memory.max": "1000\n",
                "sys/fs/cgroup/memory.current": "900\n",
                "sys/fs/cgroup/memory.stat": "anon 300\ninactive_anon 7\ninactive_file 500\nactive_file 100\n",
            },
            600,
        ),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "900",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "800",
                "sys/fs/cgroup/memory/memory.stat": "inactive_file 5\ntotal_inactive_file 50\n",
            },
            150,
        ),
    ],
)
def test_free_memory_is_what_machine_and_control_group_leave(tmp_path, files, free):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert free_memory(tmp_path) == free
