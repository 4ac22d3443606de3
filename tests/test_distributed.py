"""Training in two processes, started by torchrun or forked, with gloo between them."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import train
from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.prediction.torch_backend import load_network

ROOT = Path(__file__).resolve().parents[1]
# Gives the same result in one and in two processes: layer norms do not depend on the batch, and there is no dropout or
# mixing, whose random numbers depend on the rank
ALIKE = ["--model", "test_convnext", "--input_size", "32", "32", "--augmentation", "flip", "--optimizer", "sgd"]


def arguments(channel: Path, models: Path, *flags: str) -> list[str]:
    small = ["--pretrained", "false", "--batch_size", "28", "--epochs", "2", "--num_workers", "1"]
    small += ["--device", "cpu", "--precision", "fp32", "--lr", "0.01", "--target", "heads"]
    return [*small, "--train_dir", str(channel), "--model_dir", str(models), *flags]


def torchrun(channel: Path, models: Path, *flags: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "SAGEMAKER_BASE_DIR": str(models / "no-tree")}
    command += ["train.py", *arguments(channel, models, *flags)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.long
def test_two_processes_give_the_result_of_one(faces, tmp_path):
    """Reference: the same run in one process. Each of the two processes trains on half of every batch."""
    two = torchrun(faces / "train", tmp_path / "two", *ALIKE)
    assert two.returncode == 0, two.stdout + two.stderr
    one = torchrun(faces / "train", tmp_path / "one", *ALIKE, processes=1)
    assert one.returncode == 0, one.stdout + one.stderr
    assert two.stdout.count("\nepoch=1 val") == 1 and "2 processes" in two.stdout
    assert len(list((tmp_path / "two" / "exp" / "tensorboard").iterdir())) == 1
    a, b = (load_file(tmp_path / side / "exp" / "model.safetensors") for side in ("two", "one"))
    assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)
    histories = [
        json.loads((tmp_path / side / "exp" / "metrics.json").read_text())["history"] for side in ("two", "one")
    ]
    for of_two, of_one in zip(*histories):
        assert of_two["val_loss"] == pytest.approx(of_one["val_loss"], abs=1e-4)
        assert of_two["train_loss"] == pytest.approx(of_one["train_loss"], abs=1e-4)


def test_batch_norm_and_averaged_weights_of_two_processes_are_saved_and_loaded(faces, tmp_path):
    flags = ["--model", "test_resnet", "--input_size", "32", "24", "--ema", "0.9", "--accumulate", "2"]
    flags += ["--tracking", "none"]
    assert two_processes(arguments(faces / "train", tmp_path, *flags)) == [0, 0]
    load_network(load_model(tmp_path / "exp"))


def test_the_averages_of_elr_are_those_of_one_process(faces, tmp_path):
    """Each process sees half of every batch, and other images in other epochs."""
    flags = [*ALIKE, "--loss", "elr", "--tracking", "none", "--validation", "0", "--sampler", "imbalanced"]
    assert two_processes(arguments(faces / "train", tmp_path / "two", *flags)) == [0, 0]
    assert train.main(arguments(faces / "train", tmp_path / "one", *flags)) == 0
    a, b = (load_file(tmp_path / side / "exp" / "model.safetensors") for side in ("two", "one"))
    assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_features_of_two_processes_give_the_result_of_one(faces, tmp_path):
    """Each process computes the features of every second image, of both views; both train on all of them."""
    flags = [*ALIKE, "--freeze", "backbone", "--feature_views", "2", "--tracking", "none"]
    assert two_processes(arguments(faces / "train", tmp_path / "two", *flags)) == [0, 0]
    assert train.main(arguments(faces / "train", tmp_path / "one", *flags)) == 0
    a, b = (load_file(tmp_path / side / "exp" / "model.safetensors") for side in ("two", "one"))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)
    c, d = (json.loads((tmp_path / side / "exp" / "metrics.json").read_text())["validation"] for side in ("two", "one"))
    assert c["loss"] == pytest.approx(d["loss"], abs=1e-5) and c["f1"] == d["f1"]


def test_bad_input_ends_both_processes(faces, tmp_path):
    flags = arguments(faces / "train", tmp_path, *ALIKE, "--batch_size", "27")
    assert two_processes(flags) == ["batch_size 27 must be a multiple of the number of processes, 2"] * 2


def two_processes(flags: Sequence[str]) -> list[int | str]:
    """Trains in two processes, as torchrun starts them. Returns the exit code or the error of each.

    Forked processes save the time to import torch. On a machine with a GPU, torch cannot train in a process that was
    forked after training, so the processes are forked from another one that has only imported torch.
    """
    context = multiprocessing.get_context("forkserver" if torch.cuda.is_available() else "fork")
    context.set_forkserver_preload(["train"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcomes = context.Queue()
    processes = [context.Process(target=train_as, args=(rank, port, flags, outcomes)) for rank in range(2)]
    try:
        for process in processes:
            process.start()
        result = [outcomes.get(timeout=120) for _ in processes]
        for process in processes:
            process.join(120)
    finally:
        for process in processes:
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return result


def train_as(rank: int, port: int, flags: Sequence[str], outcomes: multiprocessing.Queue) -> None:
    """Trains as one of two processes, and puts the exit code or the error of the input into outcomes."""
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank}
    os.environ.update({name: str(value) for name, value in variables.items()})
    torch.set_num_threads(1)
    try:
        outcomes.put(train.main(flags))
    except InputError as error:
        outcomes.put(str(error))
