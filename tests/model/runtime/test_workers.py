"""The number of workers that read images, and threads that work on items in order."""

import threading
import time

import pytest

from model.runtime import workers as counting
from model.runtime.workers import AHEAD, in_threads, worker_count


def test_the_number_of_workers_is_as_set_or_one_less_than_the_cores(monkeypatch):
    assert worker_count(0) == 0 and worker_count(5) == 5
    for cores, workers in ((1, 1), (2, 1), (8, 7), (64, 12)):
        monkeypatch.setattr(counting, "cpu_count", lambda cores=cores: cores)
        assert worker_count(-1) == workers


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_are_in_order_and_few_items_are_taken_in_advance(workers):
    taken, started = [], threading.local()

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    def square(number):
        assert not workers or started.ready
        time.sleep(0.001 * (number % 3))
        return number**2

    results = in_threads(square, items(), workers, "squares", lambda: setattr(started, "ready", True))
    for number, result in enumerate(results):
        assert result == number**2 and len(taken) <= number + 1 + AHEAD * workers
    assert number == 39


def test_after_an_exception_no_further_item_starts():
    started = []

    def fail(number):
        started.append(number)
        time.sleep(0.01)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^0$"):
        list(in_threads(fail, range(1000), 2, "fails"))
    assert len(started) <= 1 + AHEAD * 2 + 1


@pytest.mark.parametrize("workers", [0, 3])
def test_a_thread_works_on_a_chunk_of_items(workers):
    threads, started = {}, threading.local()

    def compute(item):
        assert not workers or started.ready
        threads.setdefault(item // 5, set()).add(threading.get_ident())
        return 2 * item

    results = in_threads(compute, range(13), workers, "chunks", lambda: setattr(started, "ready", True), chunk=5)
    assert list(results) == [2 * item for item in range(13)]
    assert sorted(threads) == [0, 1, 2] and all(len(own) == 1 for own in threads.values())


def test_items_are_skipped_if_the_caller_stops():
    taken, done = [], []

    def items():
        for number in range(10_000):
            taken.append(number)
            yield number

    def compute(number):
        time.sleep(0.02)
        done.append(number)

    results = in_threads(compute, items(), 2, "stopped")
    next(results)
    results.close()
    assert len(done) < len(taken) == 1 + AHEAD * 2
    assert not [own for own in threading.enumerate() if own.name.startswith("stopped")]
