"""Inference holds a few batches in memory, for any number of images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PEAK = """
import resource, sys, inference
inference.main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(faces: Path, folder: Path, rows: int, model: Path) -> int:
    """KiB at the height of an inference over so many rows, the images of eval again and again."""
    channel = folder / str(rows)
    channel.mkdir()
    info = pd.read_csv(faces / "eval" / "info.csv", dtype=str)
    pd.concat([info] * (rows // len(info) + 1))[:rows].to_csv(channel / "info.csv", index=False)
    (channel / "images").mkdir()
    for picture in (faces / "eval" / "images").iterdir():
        (channel / "images" / picture.name).write_bytes(picture.read_bytes())
    flags = ["--eval_dir", str(channel), "--model_dir", str(model), "--output_data_dir", str(channel / "output")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", PEAK, *flags], env=env, capture_output=True, text=True, check=True)
    assert len(pd.read_csv(channel / "output" / "output.csv")) == rows
    return int(ended.stdout.split()[-1])


def test_ten_times_the_images_need_the_same_memory(faces: Path, run_train, tmp_path: Path):
    model = run_train(faces / "train")
    few, many = (peak_memory(faces, tmp_path, rows, model) for rows in (2_000, 20_000))
    assert many < 1.1 * few
