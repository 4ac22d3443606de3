"""Bulk inference whose processes are killed: 4 hosts and 200 shards, and a job of several processes on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.answers.files import MANIFEST
from model.data.readers.image_names import is_image
from model.data.readers.shards import write_shards
from tests.test_without_torch import CHILD, ENVIRONMENT, toy_model

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
HOSTS, SHARDS = 4, 200


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 images in 200 shards."""
    loose = tmp_path_factory.mktemp("loose")
    draw = np.random.default_rng(0)
    names = [f"{number:04d}.bmp" for number in range(5 * SHARDS)]
    for name in names:
        Image.fromarray(np.full((12, 16, 3), draw.integers(256, size=3), np.uint8)).save(loose / name)
    shards = loose.with_name("shards")
    write_shards(loose, shards, names, is_image, 5 * (loose / names[0]).stat().st_size)
    assert len(list(shards.glob("*.tar"))) == SHARDS
    return shards


def host_tree(base: Path, host: int, model: Path, shards: Sequence[Path], earlier: Path | None = None) -> Path:
    """The tree of a processing job's host whose images SageMaker has divided among the hosts."""
    inputs = base / f"algo-{host + 1}" / "processing" / "input"
    shutil.copytree(model, inputs / "model")
    (inputs / "eval").mkdir()
    for shard in shards[host::HOSTS]:
        os.link(shard, inputs / "eval" / shard.name)
    if earlier:
        shutil.copytree(earlier, inputs / "parts")
    config = inputs.parents[1] / "config"
    config.mkdir()
    source = {"LocalPath": str(inputs / "eval"), "S3DataDistributionType": "ShardedByS3Key"}
    (config / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": [{"S3Input": source}]}))
    hosts = [f"algo-{number + 1}" for number in range(HOSTS)]
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": hosts[host], "hosts": hosts}))
    return inputs.parents[1]


def start(base: Path) -> subprocess.Popen[bytes]:
    environment = {**ENVIRONMENT, "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.Popen([*CHILD, "inference", "--num_workers", "0", "--batch_size", "1"], env=environment)


def tables(folder: Path) -> list[pd.DataFrame]:
    """The answers, probabilities and predictions of all hosts, sorted by image."""
    names = ("output.csv", "probabilities.csv", "predictions.csv")
    found = [[pd.read_csv(path, dtype=str) for path in sorted(folder.glob(f"*/{name}"))] for name in names]
    return [pd.concat(each).sort_values("ImageID", ignore_index=True) for each in found]


def gather(trees: Sequence[Path], name: str, target: Path) -> Path:
    for base in trees:
        if (base / "processing" / name).is_dir():
            shutil.copytree(base / "processing" / name, target, dirs_exist_ok=True)
    return target


def test_killed_hosts_resume_without_repeating_a_part_and_answer_as_one_host(channel: Path, tmp_path: Path) -> None:
    model, shards = toy_model(tmp_path / "model", 0), sorted(channel.glob("*.tar"))
    one = [*CHILD, "inference", "--eval_dir", str(channel), "--model_dir", str(model), "--num_workers", "0"]
    subprocess.run(
        [*one, "--batch_size", "1", "--output_data_dir", str(tmp_path / "one/all")], env=ENVIRONMENT, check=True
    )

    # kill each host once it has finished some parts, another number of them each
    trees = [host_tree(tmp_path / "first", host, model, shards) for host in range(HOSTS)]
    running = [start(base) for base in trees]
    for host, (base, process) in enumerate(zip(trees, running)):
        while len(list(base.glob(f"processing/parts/*/*/{MANIFEST}"))) < 5 * host + 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
    earlier = gather(trees, "parts", tmp_path / "parts")
    finished = {path.parent.name for path in earlier.glob(f"*/*/{MANIFEST}")}
    assert HOSTS * 3 <= len(finished) < SHARDS and not list(tmp_path.glob("first/*/processing/output/*/output.csv"))
    for path in earlier.glob(f"*/*/{MANIFEST}"):  # a mark that a part has which is copied, and none that is repeated
        path.write_text(path.read_text().replace("{", '{"finished_before_the_kill": true,', 1))

    trees = [host_tree(tmp_path / "second", host, model, shards, earlier) for host in range(HOSTS)]
    assert [process.wait() for process in map(start, trees)] == [0] * HOSTS
    parts = {
        path.parent.name: "before_the_kill" in path.read_text()
        for path in tmp_path.glob(f"second/*/processing/parts/*/*/{MANIFEST}")
    }
    assert len(parts) == SHARDS and {name for name, is_marked in parts.items() if is_marked} == finished
    for ours, expected in zip(tables(gather(trees, "output", tmp_path / "output")), tables(tmp_path / "one")):
        pd.testing.assert_frame_equal(ours, expected)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.Popen[str]]:
    """Starts `python -m jobs inference` on this machine, each host with two processes."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "jobs", "inference", "--job_name", name, "--processes", "2", *flags]
        command += ["--device", "cpu", "--num_workers", "0", "--batch_size", "8", "--precision", "fp32"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return run


def test_a_job_of_two_hosts_and_four_processes_is_stopped_and_resumed(faces, run_train, tmp_path, launch) -> None:
    flags = ["--data", str(faces / "eval"), "--model_dir", str(run_train(faces / "train", "--epochs", "0"))]
    whole = launch("whole", *flags, "--processes", "1")
    assert whole.wait() == 0, whole.communicate()[0]
    names = "output.csv", "probabilities.csv", "predictions.csv", "labels.json"
    flags += ["--instances", "2", "--part_size", "8"]
    first = launch("first", *flags)
    while not list(tmp_path.glob(f"results/first/ml/*/processing/parts/*/*/{MANIFEST}")):
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    text = first.communicate()[0]
    assert first.returncode == 143, text
    finished = sorted(path.parent.name for path in tmp_path.glob(f"results/first/parts/*/*/{MANIFEST}"))
    assert finished and "add --resume_from first to the same command" in text
    second = launch("second", *flags, "--resume_from", "first")
    text = second.communicate()[0]
    assert second.returncode == 0, text
    assert "were finished by an earlier run" in text
    for ours, expected in zip(tables(tmp_path / "results/second/output"), tables(tmp_path / "results/whole")):
        pd.testing.assert_frame_equal(ours, expected)
    # on one host the joined files are those of one process
    third = launch("third", *flags, "--instances", "1", "--resume_from", "first")
    assert third.wait() == 0, third.communicate()[0]
    for name in names:
        ours, expected = (tmp_path / "results" / job / "output" / name for job in ("third", "whole"))
        assert ours.read_bytes() == expected.read_bytes(), name


def test_a_process_that_fails_ends_all_with_its_reason(faces, run_train, tmp_path, launch) -> None:
    model = run_train(faces / "train", "--epochs", "0")
    (model / "model.safetensors").write_bytes(b"damaged")
    failing = launch("failing", "--data", str(faces / "eval"), "--model_dir", str(model))
    text = failing.communicate()[0]
    assert failing.returncode == 2 and "model.safetensors: unreadable" in text, text
