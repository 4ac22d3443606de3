"""A review of a drawn channel: its app in this process, and the command as a process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from exploration.channels import ExploredChannel, read_labelled
from exploration.review.app import ReviewApp
from exploration.review.queues import GROUP, Item, items_of_rows
from exploration.review.review_data import ReviewData
from exploration.review.row_labels import RowLabels
from exploration.review.store import DecisionStore
from exploration.review.thumbnails import ReviewImages
from model.cleaning.audit import Audit
from model.data.corrections import Correction, read_corrections
from model.errors import Problems
from tests.container.http.server_process import ROOT, until

PORT, TOKEN = 8765, "the-token"
URL = f"http://127.0.0.1:{PORT}"
NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def saved(path: Path) -> list[Correction]:
    """The rows of a corrections.csv, as training reads them."""
    problems = Problems(str(path))
    rows = read_corrections(path, problems)
    problems.raise_if_any()
    return rows


@pytest.fixture(scope="session")
def review_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review-cache")


@pytest.fixture(scope="session")
def labels(faces: Path, review_cache: Path) -> RowLabels:
    """The drawn channel: 24 persons with seven images each."""
    return RowLabels(read_labelled(ExploredChannel(cache=str(review_cache)), faces / "train"))


@pytest.fixture(scope="session")
def held_out(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hardly trained model of joint classes; predictions for the images that it held out are in exp.validation."""
    import train

    folder = tmp_path_factory.mktemp("held-out")
    flags = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--epochs", "1"]
    flags += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--train_dir", str(faces / "train")]
    flags += ["--tracking", "none", "--name", "exp", "--model_dir", str(folder)]
    assert train.main(flags) == 0
    return folder / "exp"


@pytest.fixture(scope="session")
def eval_answers(faces: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of the model `heads` for the images to predict."""
    import inference

    folder = tmp_path_factory.mktemp("eval-answers") / "output"
    flags = ["--eval_dir", str(faces / "eval"), "--model_dir", str(models / "heads"), "--output_data_dir", str(folder)]
    assert inference.main([*flags, "--device", "cpu", "--num_workers", "0"]) == 0
    return folder


@dataclass
class OpenReview:
    """A review, and clients that have its token."""

    review: ReviewApp
    client: TestClient

    def post(self, expect: int = 200, **body: Any) -> dict[str, Any]:
        """Posts a decision."""
        answer = self.client.post("/api/decisions", json=body)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())

    def get(self, path: str, expect: int = 200) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == expect, answer.text
        return answer.json()


@pytest.fixture
def open_review(labels: RowLabels, tmp_path: Path) -> Iterator[Callable[..., OpenReview]]:
    """Opens reviews of all groups, or of a queue; all save their decisions in the same file."""
    reviews: list[ReviewApp] = []

    def start(items: Sequence[Item] | None = None, source: str = "all", audit: Audit | None = None) -> OpenReview:
        queue = items_of_rows(labels, range(len(labels.paths)), GROUP) if items is None else items
        data = ReviewData(labels, queue, source, "corrections.csv", "ann")
        store, images = DecisionStore(tmp_path / "corrections.csv"), ReviewImages(labels.table)
        reviews.append(ReviewApp(data, store, images, TOKEN, PORT, audit, clock=lambda: NOW))
        client = clients.enter_context(TestClient(reviews[-1].app(), URL, raise_server_exceptions=False))
        client.headers["X-Rarebird-Token"] = TOKEN
        return OpenReview(reviews[-1], client)

    with ExitStack() as clients:
        yield start
    for review in reviews:
        review.close()


class ReviewProcess:
    """`python -m exploration review` as a process."""

    def __init__(self, *flags: str) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by the fixture
        self.child = subprocess.Popen(
            [sys.executable, "-m", "exploration", "review", *flags, "--open", "false"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.url = self.token = ""

    def ready(self) -> ReviewProcess:
        """Waits until it serves."""
        until(lambda: "token=" in self.output() or self.child.poll() is not None)
        match = re.search(r"^(http://127\.0\.0\.1:\d+)/\?token=(\S+)$", self.output(), re.M)
        assert match, self.output()
        self.url, self.token = match.groups()
        return self

    def output(self) -> str:
        """The output so far."""
        self.log.seek(0)
        return self.log.read()

    def end(self, signal_number: int) -> int:
        """Sends a signal. Returns the exit code."""
        self.child.send_signal(signal_number)
        return self.child.wait(timeout=60)


@pytest.fixture
def review_process(review_cache: Path) -> Iterator[Callable[..., ReviewProcess]]:
    """Starts the command; the processes end after the test."""
    started: list[ReviewProcess] = []

    def start(*flags: str) -> ReviewProcess:
        started.append(ReviewProcess(*flags, "--cache", str(review_cache)))
        return started[-1]

    yield start
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
            process.child.wait()
        process.log.close()
