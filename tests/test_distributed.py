"""Two processes under torchrun, gloo between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.artifacts.saved_model import load_model
from model.prediction.torch_backend import load_network

ROOT = Path(__file__).resolve().parents[1]
# Layer norms do not see the batch, so two halves of one are the whole; dropout and mixing would draw otherwise.
ALIKE = ["--model", "convnext_atto", "--input_size", "32", "32", "--augmentation", "flip", "--optimizer", "sgd"]


def torchrun(channel: Path, models: Path, *flags: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    small = ["--pretrained", "false", "--batch_size", "28", "--epochs", "2", "--num_workers", "1"]
    small += ["--device", "cpu", "--precision", "fp32", "--lr", "0.01", "--target", "heads"]
    where = ["--train_dir", str(channel), "--model_dir", str(models)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "SAGEMAKER_BASE_DIR": str(models / "no-tree")}
    return subprocess.run(
        [*command, "train.py", *small, *where, *flags], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )


@pytest.mark.long
def test_two_processes_train_what_one_would(faces, tmp_path):
    """Reference: the same run in one process. Each process learns from half of every batch."""
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


def test_batch_norm_and_averages_are_saved_and_loaded_and_bad_input_ends_all(faces, tmp_path):
    flags = ["--model", "resnet10t", "--input_size", "32", "24", "--ema", "0.9", "--accumulate", "2"]
    ended = torchrun(faces / "train", tmp_path, *flags)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    load_network(load_model(tmp_path / "exp"))
    refused = torchrun(faces / "train", tmp_path, *flags, "--batch_size", "27")
    assert refused.returncode != 0 and "batch_size 27 does not divide among 2 processes" in refused.stderr
