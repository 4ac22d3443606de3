"""Benchmark of start-up: time of a job to its first step and of a server to its first answer, and the image's size.

    python -m benchmarks.start --train_dir data/train [--image rarebird]

The channel is checked before the clock starts, as it is for every run but the first. Each start is a process or a
container of its own, which is killed once it has logged its first step or answered /ping.
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

from container.project_root import PROJECT_ROOT
from model.errors import ExitCode, Failure, InputError
from model.runtime.terminal import text_table
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = __doc__ or ""
FIRST_STEP = "epoch=1 step=1 "  # start of the log line of the first step
PING = "/ping"
TIMEOUT = 300.0  # seconds until a start counts as failed


@dataclass(frozen=True)
class StartSettings:
    train_dir: str | None = setting(None, "channel of images with labels", section="What is measured")
    image: str | None = setting(None, "the image, built before; none: python train.py alone")
    docker: str = setting("docker", "the engine's client")
    rounds: int = setting(3, "times that everything is measured; medians are told", low=1)
    model: str = setting("resnet18", "backbone: any name of timm's")
    input_size: list[int] = setting([128, 96], "height and width that the network sees", unit="pixels", low=8)
    batch_size: int = setting(64, "images of a forward pass", low=1)

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if not self.train_dir:
            yield "train_dir is needed: a channel of images with labels, as in --train_dir data/train"


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

    The starts of a kind share a model folder, in which the result of the channel's check is kept.
    """

    def __init__(self, settings: StartSettings, scratch: Path):
        self.settings, self.scratch, self.count = settings, scratch, 0
        self.train_dir = Path(settings.train_dir or "").resolve()
        size = [str(side) for side in settings.input_size]
        self.flags = ["--model", settings.model, "--pretrained", "false", "--input_size", *size]
        self.flags += ["--batch_size", str(settings.batch_size), "--log_interval", "1"]

    def prepare_process(self) -> None:
        """Has the channel checked, so that no measured start does it."""
        self._run([*self._train("process"), "--epochs", "0"])

    def prepare_container(self) -> None:
        """Has the channel checked at the path that a container sees, and makes the model to serve."""
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
        """Size of the image in bytes."""
        return int(self._run([self.settings.docker, "image", "inspect", "--format", "{{.Size}}", self._image()]))

    def _train(self, folder: str) -> list[str]:
        """The command of a training as a process. folder: of its model."""
        paths = ["--train_dir", str(self.train_dir), "--model_dir", str(self.scratch / folder)]
        return [sys.executable, str(PROJECT_ROOT / "train.py"), *paths, *self.flags, "--resume", "never"]

    def _docker_train(self, name: str) -> list[str]:
        """The command of a training in a container of this name."""
        models = self.scratch / "container"
        models.mkdir(exist_ok=True)
        mounts = ["--volume", f"{self.train_dir}:/data:ro", "--volume", f"{models}:/models"]
        variables = ["--env", "SM_CHANNEL_TRAIN=/data", "--env", "SM_MODEL_DIR=/models"]
        run = [self.settings.docker, "run", "--rm", "--name", name, *mounts, *variables, self._image(), "train"]
        return [*run, *self.flags, "--resume", "never"]

    def _until_first_step(self, command: list[str], end: Callable[[], None]) -> float:
        """Seconds from the start of a command to its log line of the first step. Then calls `end` and kills it."""
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
        """The output of a command; Failure if its exit code is not 0."""
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
    """Whether a GET of the URL is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, Failure) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(ExitCode.BAD_INPUT if isinstance(error, InputError) else ExitCode.FAULT)
