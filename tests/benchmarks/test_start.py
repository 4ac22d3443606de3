import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.start", *flags]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


@pytest.mark.long
def test_the_time_to_the_first_step_is_printed(faces):
    small = ["--model", "resnet10t", "--input_size", "32", "24", "--batch_size", "32", "--rounds", "1"]
    ended = run("--train_dir", str(faces / "train"), *small)
    assert ended.returncode == 0, ended.stderr
    row = next(line for line in ended.stdout.splitlines() if line.startswith("python train.py to its first step"))
    assert 0 < float(row.split()[-1]) < 300


def test_without_images_the_error_says_what_is_required():
    ended = run("--rounds", "1")
    assert ended.returncode == 2 and "--train_dir data/train" in ended.stderr
