"""train.py itself under the way into the image, from SageMaker's files alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.artifacts.verify import model_problem

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"model": "resnet10t", "pretrained": "False", "input_size": "[32, 24]", "batch_size": "32", "num_workers": "0"}
SMALL |= {"device": "cpu", "precision": "fp32", "validation": "0", "checkpoint_seconds": "0"}


def start(tree: Path, **hyperparameters: str) -> subprocess.Popen[str]:
    (tree / "input" / "config" / "hyperparameters.json").write_text(json.dumps(SMALL | hyperparameters))
    command = [sys.executable, "-m", "container.entrypoint", "train"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("processes", ["0", pytest.param("2", marks=pytest.mark.long)])
def test_a_run_that_is_stopped_saves_its_model_and_goes_on(tree, faces, processes):
    shutil.copytree(faces / "train", tree / "input" / "data" / "train", dirs_exist_ok=True)
    first = start(tree, epochs="500", processes_per_host=processes)
    end = time.monotonic() + 400
    while not list((tree / "checkpoints" / "exp").glob("checkpoint-0000*.pt")):
        assert first.poll() is None and time.monotonic() < end, first.communicate()[0]
        time.sleep(0.05)
    first.terminate()
    told, _ = first.communicate(timeout=300)
    assert first.returncode == 0, told
    assert "stopped by SIGTERM; the same command goes on" in told
    assert (
        model_problem(tree / "model") is None
        and not json.loads((tree / "model" / "metrics.json").read_text())["finished"]
    )
    assert (tree / "output" / "success").exists() and not (tree / "output" / "failure").exists()
    assert not [path for path in (tree / "model").rglob("*") if path.suffix == ".pt"]

    second = start(tree, epochs="500", processes_per_host=processes)
    lines = []
    assert second.stdout is not None
    while not any("resumed epoch=" in line for line in lines):
        line = second.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    second.kill()
    second.communicate()
