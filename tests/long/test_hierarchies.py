"""A hierarchy whose attributes are independent, so that nearly every image has a combination of its own, takes less
than 2 GB in every job, and its evaluation.json less than 5 MB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 2_000_000  # KiB


def peak_memory(job: str, *flags: str) -> int:
    """KiB at the height of a job."""
    started = subprocess.Popen([sys.executable, str(ROOT / job), *flags], env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(started.pid, 0)
    assert status == 0
    return usage.ru_maxrss


@pytest.mark.parametrize("target", ["heads", "joint"])
def test_memory_and_files_do_not_grow_with_combinations_that_do_not_occur(target, draw_hierarchy, tmp_path: Path):
    data = draw_hierarchy(tmp_path / "data", {"train": 3000, "eval": 1500}, is_tree=False)
    flags = ["--config", str(data / "scheme.yaml"), "--train_dir", str(data / "train"), "--model_dir", str(tmp_path)]
    flags += ["--model", "resnet10t", "--pretrained", "false", "--input_size", "32", "24", "--target", target]
    flags += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]
    assert peak_memory("train.py", *flags) < LIMIT
    flags = ["--eval_dir", str(data / "eval"), "--model_dir", str(tmp_path / "exp"), "--num_workers", "0"]
    assert peak_memory("inference.py", *flags, "--output_data_dir", str(tmp_path / "output"), "--device", "cpu") < LIMIT
    flags = ["--ground_truth_dir", str(data / "gt"), "--output_data_dir", str(tmp_path / "output")]
    assert peak_memory("evaluation.py", *flags, "--pictures", str(data / "eval")) < LIMIT
    assert (tmp_path / "output" / "evaluation.json").stat().st_size < 5_000_000
    assert (tmp_path / "output" / "report.html").stat().st_size < 10_000_000
