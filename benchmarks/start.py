"""Benchmarks start-up: time until a job's first step and until a server is ready, and size of the container image.

    python -m benchmarks.start --train_dir data/train [--image rarebird]

The channel is checked before the measurement, as it is in every run but the first. Each start is a new process or
container, which is killed as soon as it logs its first step or responds to /ping.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command_line import run
from container.project_root import PROJECT_ROOT
from model.errors import Failure
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
FIRST_STEP = "epoch=1 step=1 "  # prefix of the log line of the first step
PING = "/ping"
TIMEOUT = 300.0  # seconds after which a start counts as failed


@dataclass(frozen=True)
class StartSettings:
    train_dir: str | None = setting(None, "channel of images with labels", section="What is measured")
    image: str | None = setting(None, "name of the container image; none: only python train.py is measured")
    docker: str = setting("docker", "command of the container engine")
    rounds: int = setting(3, "number of rounds; the result is the median", low=1)
    model: str = setting("resnet18", "backbone, by timm's name")
    input_size: list[int] = setting([128, 96], "height and width of the network's input", unit="pixels", low=8)
    batch_size: int = setting(64, "images per forward pass", low=1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.train_dir:
            yield "train_dir is required: a channel of images with labels, for example --train_dir data/train"


def main(argv: Sequence[str]) -> int:
    settings = from_flags(StartSettings, argv, USAGE)
    with tempfile.TemporaryDirectory() as scratch:
        starts = Starts(settings, Path(scratch))
        measures: dict[str, Callable[[], float]] = {"python train.py to its first step": starts.process}
        starts.prepare_process()
        if settings.image:
            measures["docker run train to its first step"] = starts.container
            measures["docker run serve to its first /ping 200"] = starts.server
            starts.prepare_container()
        seconds: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(settings.rounds):
            for name, measure in measures.items():
                seconds[name].append(measure())
        size = f"{settings.image}: {starts.image_size() / 1e9:.2f} GB" if settings.image else ""
    rows = [
        [name, *(f"{value:.1f}" for value in (statistics.median(values), min(values), max(values)))]
        for name, values in seconds.items()
    ]
    height, width = settings.input_size
    print(f"{settings.model} at {height}x{width}, batch {settings.batch_size}; {os.cpu_count()} cores; ", end="")
    print(f"load {os.getloadavg()[0]:.1f}; median of {settings.rounds} rounds")
    print(text_table(["seconds", "median", "min", "max"], rows, right=range(1, 4)))
    print(size)
    return 0


class Starts:
    """Starts a job as a process or in a container, and measures the time until it works.

    All starts as a process share a model folder, which contains the result of the channel's check. So do all starts in
    a container.
    """

    def __init__(self, settings: StartSettings, scratch: Path):
        self.settings, self.scratch, self.count = settings, scratch, 0
        self.train_dir = Path(settings.train_dir or "").resolve()
        size = [str(side) for side in settings.input_size]
        self.flags = ["--model", settings.model, "--pretrained", "false", "--input_size", *size]
        self.flags += ["--batch_size", str(settings.batch_size), "--log_interval", "1"]

    def prepare_process(self) -> None:
        """Checks the channel, so that no measured start has to."""
        self._run([*self._train("process"), "--epochs", "0"])

    def prepare_container(self) -> None:
        """Checks the channel at its path in a container, and creates the model to serve."""
        self._run([*self._docker_train("prepare"), "--epochs", "0", "--name", "served"])

    def process(self) -> float:
        """Seconds from python train.py to its first step."""
        return self._until_first_step(self._train("process"), lambda: None)

    def container(self) -> float:
        """Seconds from docker run train to its first step."""
        name = self._next_name()
        return self._until_first_step(self._docker_train(name), lambda: self._remove(name))

    def server(self) -> float:
        """Seconds from docker run serve to its first /ping 200."""
        name = self._next_name()
        mounts = ["--volume", f"{self.scratch / 'container' / 'served'}:/opt/ml/model:ro"]
        started = time.perf_counter()
        flags = ["--detach", "--name", name, "--publish", "127.0.0.1::8080", *mounts]
        self._run([self.settings.docker, "run", *flags, self._image(), "serve"])
        try:
            address = self._run([self.settings.docker, "port", name, "8080/tcp"]).split()[0]
            while not is_ready(f"http://{address}{PING}"):
                if time.perf_counter() - started > TIMEOUT:
                    raise Failure(f"{name}: no /ping 200 in {TIMEOUT:g} s")
                time.sleep(0.05)
            return time.perf_counter() - started
        finally:
            self._remove(name)

    def image_size(self) -> int:
        """Size of the container image in bytes."""
        return int(self._run([self.settings.docker, "image", "inspect", "--format", "{{.Size}}", self._image()]))

    def _train(self, folder: str) -> list[str]:
        """The command that trains as a process. folder: where its model is saved."""
        paths = ["--train_dir", str(self.train_dir), "--model_dir", str(self.scratch / folder)]
        return [sys.executable, str(PROJECT_ROOT / "train.py"), *paths, *self.flags, "--resume", "never"]

    def _docker_train(self, name: str) -> list[str]:
        """The command that trains in a container of this name."""
        models = self.scratch / "container"
        models.mkdir(exist_ok=True)
        mounts = ["--volume", f"{self.train_dir}:/data:ro", "--volume", f"{models}:/models"]
        variables = ["--env", "SM_CHANNEL_TRAIN=/data", "--env", "SM_MODEL_DIR=/models"]
        run = [self.settings.docker, "run", "--rm", "--name", name, *mounts, *variables, self._image(), "train"]
        return [*run, *self.flags, "--resume", "never"]

    def _until_first_step(self, command: list[str], end: Callable[[], None]) -> float:
        """Seconds from the start of a command to its log line of the first step.

        Args:
            command: The command; it is killed then.
            end: Called before it is killed.
        """
        started = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.scratch
        ) as job:
            assert job.stdout is not None
            log = []
            try:
                for line in job.stdout:
                    log.append(line)
                    if line.startswith(FIRST_STEP):
                        return time.perf_counter() - started
            finally:
                end()
                job.kill()
        raise Failure(f"no first step:\n{''.join(log)}")

    def _run(self, command: list[str]) -> str:
        """Runs a command and returns its output. Raises Failure if the exit code is not 0."""
        process = subprocess.run(command, capture_output=True, text=True, cwd=self.scratch)
        if process.returncode != 0:
            raise Failure(f"{' '.join(command)}: exit {process.returncode}\n{process.stdout}{process.stderr}")
        return process.stdout

    def _image(self) -> str:
        return self.settings.image or ""

    def _next_name(self) -> str:
        self.count += 1
        return f"rarebird-start-{os.getpid()}-{self.count}"

    def _remove(self, name: str) -> None:
        subprocess.run([self.settings.docker, "rm", "--force", name], capture_output=True)


def is_ready(url: str) -> bool:
    """Whether a GET of the URL returns status 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(run(main))
