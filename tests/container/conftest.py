"""SageMaker's tree, and a copy of the program in which a job is what a test says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import json, os, signal, struct, sys, time
from pathlib import Path
from container import job_script
BASE = os.environ["SAGEMAKER_BASE_DIR"]
def save(folder, finished=True):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    (folder / "settings.yaml").write_text("{}")
    for name in ("labels.json", "preprocessing.json"):
        (folder / name).write_text("{}")
    (folder / "metrics.json").write_text(json.dumps({"finished": finished}))
"""


def write_config(tree: Path, name: str, content: object) -> None:
    """Writes a config file of a training job."""
    (tree / "input" / "config" / name).write_text(json.dumps(content))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SageMaker's tree, with a channel train."""
    base = tmp_path / "ml"
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "data" / "train").mkdir(parents=True)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    return base


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi that shows four GPUs, and no other program of NVIDIA."""
    shown = tmp_path / "driver" / "nvidia-smi"
    shown.parent.mkdir()
    shown.write_text('#!/bin/sh\nfor n in 0 1 2 3; do echo "GPU $n: NVIDIA H200 (UUID: GPU-$n)"; done\n')
    shown.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shown.parent}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return shown


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the way in and of what it imports."""
    folder = tmp_path_factory.mktemp("program")
    for room in ("container", "model"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def start(program: Path, tree: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the way in as a process, `train` being a job whose main() has a body. Variables are added to the
    environment."""
    started = []

    def begin(body: str, *words: str, **variables: str) -> subprocess.Popen[str]:
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        (program / "train.py").write_text(f"{HEAD}\ndef main():\n{indented}\n    return 0\n\njob_script.run(main)\n")
        process = subprocess.Popen(
            [sys.executable, "-m", "container.entrypoint", *(words or ("train",))],
            cwd=program,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As start, to the end."""

    def whole(body: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = start(body, *words, **variables)
        out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return whole
