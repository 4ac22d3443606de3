"""The number of workers that read images."""

from model.runtime import workers as counting
from model.runtime.workers import worker_count


def test_the_number_of_workers_is_as_set_or_one_less_than_the_cores(monkeypatch):
    assert worker_count(0) == 0 and worker_count(5) == 5
    for cores, workers in ((1, 1), (2, 1), (8, 7), (64, 12)):
        monkeypatch.setattr(counting, "cpu_count", lambda cores=cores: cores)
        assert worker_count(-1) == workers
