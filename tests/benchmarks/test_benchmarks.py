import logging
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *flags]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)


@pytest.mark.long
def test_every_rate_is_printed_with_its_ratio(faces):
    small = ["--model", "resnet10t", "--input_size", "32", "24", "--pictures", "128", "--rounds", "1"]
    ended = run("--train_dir", str(faces / "train"), *small, "--batch_size", "32", "--device", "cpu")
    assert ended.returncode == 0, ended.stderr
    rows = [
        line for line in ended.stdout.splitlines() if line.startswith(("network", "input", "training", "inference"))
    ]
    assert len(rows) == 6
    columns = [re.split("  +", line) for line in rows]
    rates = {name: float(median) for name, median, *_ in columns}
    assert all(rate > 0 for rate in rates.values())
    ratio = float(next(line for line in rows if line.startswith("training epoch")).split()[-1])
    assert abs(ratio - rates["training epoch"] / rates["network alone, training steps"]) < 0.011


def test_without_images_the_error_says_what_is_required(monkeypatch, capsys):
    """Like `python -m benchmarks`, but in this process, which has imported torch already."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--rounds", "1"])
    monkeypatch.setattr(logging.getLogger("rarebird"), "setLevel", lambda level: None)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks", run_name="__main__", alter_sys=True)
    assert ended.value.code == 2 and "--train_dir data/train" in capsys.readouterr().err
