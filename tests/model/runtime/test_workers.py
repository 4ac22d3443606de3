"""The number of workers that read images, and a pass in threads."""

import threading
import time

from model.runtime import workers as counting
from model.runtime.workers import map_in_threads, worker_count


def test_the_number_of_workers_is_as_set_or_one_less_than_the_cores(monkeypatch):
    assert worker_count(0) == 0 and worker_count(5) == 5
    for cores, workers in ((1, 1), (2, 1), (8, 7), (64, 12)):
        monkeypatch.setattr(counting, "cpu_count", lambda cores=cores: cores)
        assert worker_count(-1) == workers


def test_results_are_in_the_order_of_the_items_and_computed_by_all_threads():
    names, barrier = set(), threading.Barrier(3, timeout=10)

    def slower_first(item):
        names.add(threading.current_thread().name.split("_")[0])
        if item % 5 == 0:
            barrier.wait()  # passes only if three chunks are computed at once
        return 2 * item

    assert list(map_in_threads(slower_first, range(13), 3, "doubled", 5)) == [2 * item for item in range(13)]
    assert names == {"doubled"}
    assert list(map_in_threads(str, [], 3, "none", 5)) == [] and list(map_in_threads(str, [7], 0, "one", 5)) == ["7"]


def test_items_are_skipped_if_the_caller_stops():
    done = []

    def compute(item):
        done.append(item)
        time.sleep(0.001)
        return item

    results = map_in_threads(compute, range(10_000), 2, "stopped", 1)
    assert next(results) == 0
    results.close()
    count = len(done)
    assert count < 10_000 and not [own for own in threading.enumerate() if own.name.startswith("stopped")]
