"""The same job in a process, in the image, on several hosts of each, and started by the SageMaker Python SDK's local
client, on real images: the same scores. RAREBIRD_TEST_FACES=all takes every image of ../shared/data/faces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "places"
ACCOUNT = ("--role", "arn:aws:iam::111122223333:role/none", "--bucket", BUCKET)
CPU = ("--device", "cpu", "--precision", "fp32")


def numbers(told: Any, place: str = "") -> dict[str, float]:
    """Every number in evaluation.json by its path."""
    if isinstance(told, bool) or not isinstance(told, dict | list | int | float):
        return {}
    if isinstance(told, int | float):
        return {place: told}
    items = told.items() if isinstance(told, dict) else enumerate(told)
    return {key: number for name, value in items for key, number in numbers(value, f"{place}/{name}").items()}


@pytest.fixture(scope="module")
def data(people: Path, shared: Path) -> Path:
    return shared / "data" / "faces" if os.environ.get("RAREBIRD_TEST_FACES") == "all" else people


@pytest.fixture
def run(image: str, tmp_path: Path) -> Callable[..., str]:
    """python -m jobs; what it prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"/usr/bin:{os.environ['PATH']}"}  # as CLIENT of conftest.py

    def run(what: str, name: str, *words: object) -> str:
        told = ["--job_name", name, "--environment", "{OMP_NUM_THREADS: 1}"]
        told += [] if "here" in words else ["--image", image]
        command = [sys.executable, "-m", "jobs", what, *told, *map(str, words)]
        ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3000)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


@pytest.fixture
def weights(shared: Path) -> Path:
    return shared / "weights" / "mobilenetv2_100.imagenet.safetensors"


@pytest.fixture
def training(data: Path, weights: Path, settings: dict[str, object]) -> list[object]:
    """The fields of one epoch's log line."""
    chosen = {**settings, "config": ROOT / str(settings["config"]), "weights": weights}
    chosen |= {"epochs": 1, "input_size": [64, 48], "batch_size": 14}
    texts = {name: json.dumps(value) if isinstance(value, list) else value for name, value in chosen.items()}
    return ["--data", data / "train", *(word for name, value in texts.items() for word in (f"--{name}", value))]


@pytest.fixture
def scored(run: Callable[..., str], training: list[object], data: Path, tmp_path: Path) -> Callable[..., Any]:
    """Trains, answers and scores; the numbers of evaluation.json."""

    def scored(on: str, hosts: int) -> dict[str, float]:
        name, place = f"{on}-{hosts}", ("--on", on)
        run("train", name, *place, "--instances", hosts, *training)
        run("inference", f"{name}-answers", *place, "--data", data / "eval", "--model_dir", name, *CPU)
        truth = ("--ground_truth_dir", data / "gt", "--output_data_dir", f"{name}-answers")
        run("evaluation", f"{name}-scores", *place, *truth)
        return read_numbers(tmp_path / "results" / f"{name}-scores" / "evaluation")

    return scored


def read_numbers(folder: Path) -> dict[str, float]:
    found = numbers(json.loads((folder / "evaluation.json").read_text()))
    print(f"{folder.parent.name}: macro F1 {found['/rarebird/macro_f1/value']}, {len(found)} numbers")
    return found


@pytest.mark.image
@pytest.mark.parametrize("hosts", [1, 2])
def test_a_process_and_a_container_score_the_same(scored, hosts):
    here, docker = scored("here", hosts), scored("docker", hosts)
    assert here.keys() == docker.keys() and len(here) > 50
    assert docker == pytest.approx(here, abs=1e-6, nan_ok=True)


@pytest.mark.sdk
def test_the_sdks_client_runs_our_requests_to_the_same_scores(run, sdk, scored, training, data, weights, tmp_path):
    def requests() -> Iterator[tuple[str, dict[str, Any]]]:
        dry = ("--on", "sagemaker", *ACCOUNT, "--dry_run")
        root = f"s3://{BUCKET}/rarebird"
        yield "create_training_job", json.loads(run("train", "sdk", *dry, *training))
        model = ("--model_dir", f"{root}/sdk/output/model.tar.gz")
        answers = json.loads(run("inference", "sdk-answers", *dry, "--data", data / "eval", *model, *CPU))
        yield "create_processing_job", answers
        truth = ("--ground_truth_dir", data / "gt", "--output_data_dir", f"{root}/sdk-answers/output")
        yield "create_processing_job", json.loads(run("evaluation", "sdk-scores", *dry, *truth))

    made, place = list(requests()), tmp_path / "place"
    sources = {"train": data / "train", "weights": weights, "eval": data / "eval", "ground_truth": data / "gt"}
    for name, uri in inputs(made):
        if name in sources:
            send(sources[name], place / uri.removeprefix("s3://"))
    (tmp_path / "requests.json").write_text(json.dumps(made))
    sdk("v2", "session.py", tmp_path / "requests.json", place)
    theirs = read_numbers(place / BUCKET / "rarebird" / "sdk-scores" / "evaluation")
    assert theirs == pytest.approx(scored("docker", 1), abs=1e-6, nan_ok=True)


def inputs(requests: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    """The names of inputs and their places in S3."""
    for _, request in requests:
        for given in request.get("InputDataConfig", []):
            yield given["ChannelName"], given["DataSource"]["S3DataSource"]["S3Uri"]
        for given in request.get("ProcessingInputs", []):
            yield given["InputName"], given["S3Input"]["S3Uri"]


def send(source: Path, place: Path) -> None:
    """A folder or a file as it would be in S3; a client mounts it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        place.symlink_to(source)
        return
    place.mkdir()
    shutil.copy(source, place)
