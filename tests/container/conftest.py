"""SageMaker's folder tree, and a copy of the program in which each test defines what the job does."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

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
    """SageMaker's folder tree, with a channel train."""
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
    """A copy of the entry point and of the packages that it imports."""
    folder = tmp_path_factory.mktemp("program")
    for package in ("container", "model"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("fork_server.py"), folder)
    return folder


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variable that replaces torchrun by a stand-in, which starts within milliseconds."""
    package = tmp_path_factory.mktemp("stand_in") / "torch" / "distributed"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    shutil.copy(Path(__file__).with_name("torchrun_stand_in.py"), package / "run.py")
    return {"PYTHONPATH": str(package.parents[1])}


class EntryPointProcess:
    """`python -m container.entrypoint` as a forked process, with the methods of subprocess.Popen.

    Args:
        connection: To the fork server.
        arguments: The arguments of the entry point.
        variables: Its environment variables.
    """

    def __init__(self, connection: socket.socket, arguments: Sequence[str], variables: Mapping[str, str]):
        self.args, self.returncode = arguments, None
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        pipe, other_end = os.pipe()
        message = json.dumps([arguments, dict(variables)]).encode()
        socket.send_fds(connection, [message], [self.out.fileno(), self.err.fileno(), other_end])
        os.close(other_end)
        self.pipe = open(pipe, "rb", buffering=0)  # noqa: SIM115
        self.pid = int(self.pipe.readline())

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self.pipe], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self.pipe.readline())
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        return self._text(self.out), self._text(self.err)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    @staticmethod
    def _text(file: IO[bytes]) -> str:
        file.seek(0)
        return file.read().decode()


@pytest.fixture(scope="session")
def fork_server(program: Path) -> Iterator[socket.socket]:
    """The connection to a process that has imported the entry point."""
    connection, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = other_end.fileno()
    with connection, other_end:
        command = [sys.executable, "fork_server.py", str(number)]
        server = subprocess.Popen(command, cwd=program, pass_fds=(number,))
        other_end.close()
        yield connection
    server.wait()


@pytest.fixture
def start(program: Path, tree: Path, fork_server: socket.socket) -> Iterator[Callable[..., EntryPointProcess]]:
    """Starts the entry point as a process. Its job `train` is a script whose main() has the given body. Variables are
    added to the environment."""
    processes = []

    def start_entry_point(body: str, *arguments: str, **variables: str) -> EntryPointProcess:
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        (program / "train.py").write_text(f"{HEAD}\ndef main():\n{indented}\n    return 0\n\njob_script.run(main)\n")
        process = EntryPointProcess(fork_server, arguments or ("train",), {**os.environ, **variables})
        processes.append(process)
        return process

    yield start_entry_point
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start: Callable[..., EntryPointProcess]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Starts the entry point like `start` and waits for its end."""

    def run_entry_point(body: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = start(body, *arguments, **variables)
        out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run_entry_point
