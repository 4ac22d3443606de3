"""A real engine, the image built from this checkout, and its containers: real images in, no mocks."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The distribution's engine comes with a client that has BuildKit; another may come first on PATH.
CLIENT = "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else "docker"
CLIENTS = Path(__file__).with_name("clients")
SDK = {"v2": "sagemaker[local]==2.257.7", "v3": "sagemaker==3.27.0"}
NOBODY = {  # any call to AWS fails
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
ONE_THREAD = {"OMP_NUM_THREADS": 1}  # two that wait for each other's cores are slower by far where other work runs too
TRAINED, ASKED = 12, 30  # persons to learn from (7 images each), images to answer
# Two epochs of about nine steps of a third of a second: enough to be stopped inside one.
SETTINGS: dict[str, object] = {
    "config": "configs/mask-mobilenetv2.yaml",
    "weights": "/opt/ml/input/data/weights/mobilenetv2_100.imagenet.safetensors",
    "epochs": 2,
    "batch_size": 8,
    "input_size": [96, 72],
    "precision": "fp32",
    "device": "cpu",
    "num_workers": 1,
    "log_interval": 1,
    "checkpoint_seconds": 0,
}


def run_docker(*words: str | Path, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """The client, which must succeed unless check is false."""
    ended = subprocess.run([CLIENT, *map(str, words)], capture_output=True, text=True, timeout=timeout)
    assert not check or ended.returncode == 0, f"docker {words}: {ended.stdout}{ended.stderr}"
    return ended


@dataclass(frozen=True)
class Container:
    """One that was started."""

    name: str

    def log(self) -> str:
        """What it has written to stdout and stderr."""
        ended = run_docker("logs", self.name)
        return ended.stdout + ended.stderr

    def wait_for(self, line: str, seconds: float = 300) -> None:
        """Until its log has a text; it fails where the container ends without."""
        ends = time.monotonic() + seconds
        while line not in (log := self.log()):
            assert self.running() and time.monotonic() < ends, f"no {line!r} in\n{log}"
            time.sleep(0.1)

    def running(self) -> bool:
        return run_docker("inspect", "-f", "{{.State.Running}}", self.name).stdout.strip() == "true"

    def wait(self, seconds: float = 600) -> int:
        """Its exit code."""
        return int(run_docker("wait", self.name, timeout=seconds).stdout)

    def stop(self, seconds: int) -> None:
        """SIGTERM, and SIGKILL after so long, as the service does."""
        run_docker("stop", "--time", str(seconds), self.name)

    def kill(self, signal: str) -> None:
        run_docker("kill", "--signal", signal, self.name)

    def ends_with(self, code: int, seconds: float = 600) -> str:
        """Its log, when it ended with that code."""
        ended = self.wait(seconds)
        assert ended == code, f"exit {ended}, not {code}\n{self.log()}"
        return self.log()


@dataclass
class Engine:
    """Containers of one image, removed at the end."""

    image: str
    started: list[str] = field(default_factory=list)

    def start(self, *words: str, options: tuple[str | Path, ...] = (), **variables: object) -> Container:
        """docker run of the image. options: docker's own; variables: the container's."""
        name = f"rarebird-test-{uuid.uuid4().hex[:12]}"
        self.started.append(name)
        told = [text for key, value in (ONE_THREAD | variables).items() for text in ("-e", f"{key}={value}")]
        run_docker("run", "--detach", "--name", name, *options, *told, self.image, *words)
        return Container(name)

    def remove(self) -> None:
        for name in self.started:
            run_docker("rm", "--force", "--volumes", name, check=False)


@dataclass(frozen=True)
class Tree:
    """What SageMaker mounts at /opt/ml, with one host's config files; channels are mounted read-only over it."""

    folder: Path
    channels: Mapping[str, Path]

    @classmethod
    def make(
        cls,
        folder: Path,
        channels: Mapping[str, Path],
        settings: Mapping[str, object],
        hosts: tuple[str, ...] = ("algo-1",),
        host: str = "algo-1",
    ) -> Tree:
        """settings become hyperparameters.json, all of them strings as the service sends them."""
        config = folder / "input" / "config"
        config.mkdir(parents=True)
        for part in ("model", "output/data", "checkpoints", *(f"input/data/{name}" for name in channels)):
            (folder / part).mkdir(parents=True)
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
        files = {
            "hyperparameters": texts,
            "inputdataconfig": {name: {"TrainingInputMode": "File"} for name in channels},
            "resourceconfig": {"current_host": host, "hosts": list(hosts), "network_interface_name": "eth0"},
        }
        for name, content in files.items():
            (config / f"{name}.json").write_text(json.dumps(content))
        return cls(folder, channels)

    @property
    def mounts(self) -> tuple[str, ...]:
        read_only = [f"{path}:/opt/ml/input/data/{name}:ro" for name, path in self.channels.items()]
        return tuple(text for mount in (f"{self.folder}:/opt/ml", *read_only) for text in ("-v", mount))

    @property
    def model(self) -> Path:
        return self.folder / "model"

    def output(self, name: str) -> str | None:
        """The text of output/success or output/failure, None where there is no such file."""
        path = self.folder / "output" / name
        return path.read_text(encoding="utf-8") if path.exists() else None


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Brings the engine up; what the image is built on."""
    starter = ROOT.parent / "shared" / "bin" / "container-engine"
    if starter.exists():
        log = tmp_path_factory.mktemp("engine") / "log"
        with log.open("w") as out:  # a file: the daemon that it starts would hold a pipe open
            ended = subprocess.run([starter], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        if ended.returncode != 0:
            pytest.fail(f"the container engine did not come up:\n{log.read_text()}")
        return os.environ.get("BASE_IMAGE", "local/bookworm-slim:latest")
    if shutil.which(CLIENT) is None or run_docker("info", check=False).returncode != 0:
        (pytest.fail if "RAREBIRD_CI" in os.environ else pytest.skip)("needs a container engine")
    return os.environ.get("BASE_IMAGE", "debian:bookworm-slim")


@pytest.fixture(scope="session")
def build(base_image: str) -> Callable[..., str]:
    """Builds a checkout under a tag and returns the tag."""

    def build(folder: Path, tag: str) -> str:
        command = [CLIENT, "build", "--build-arg", f"BASE_IMAGE={base_image}", "-t", tag, str(folder)]
        env = {**os.environ, "DOCKER_BUILDKIT": "1"}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1800)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return tag

    return build


@pytest.fixture(scope="session")
def image(build: Callable[..., str]) -> str:
    """The image of this checkout; RAREBIRD_TEST_IMAGE names one that is built already."""
    return os.environ.get("RAREBIRD_TEST_IMAGE") or build(ROOT, "rarebird:test")


@pytest.fixture(scope="session")
def docker() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_docker


@pytest.fixture(scope="session")
def engine(image: str) -> Iterator[Engine]:
    engine = Engine(image)
    yield engine
    engine.remove()


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as rows:
        return list(csv.reader(rows))


def write_csv(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="session")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real images: train/ of the first persons, eval/ of others, gt/."""
    data, faces = tmp_path_factory.mktemp("people"), shared / "data" / "faces"
    for person in sorted((faces / "train" / "images").iterdir())[:TRAINED]:
        shutil.copytree(person, data / "train" / "images" / person.name)
    asked, truth = read_csv(faces / "eval" / "info.csv")[: ASKED + 1], read_csv(faces / "gt" / "gt.csv")
    wanted = {row[0] for row in asked[1:]}
    write_csv(data / "eval" / "info.csv", asked)
    write_csv(data / "gt" / "gt.csv", [row for row in truth if row[0] in {"ImageID", *wanted}])
    (data / "eval" / "images").mkdir()
    for name in wanted:
        shutil.copy(faces / "eval" / "images" / name, data / "eval" / "images" / name)
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # readable by any user of a container
    return data


@pytest.fixture(scope="session")
def channels(shared: Path, people: Path) -> dict[str, Path]:
    """The channels of a training job: images and the weights to begin with."""
    return {"train": people / "train", "weights": shared / "weights"}


@pytest.fixture
def settings() -> dict[str, object]:
    """Those of `trained`, to change."""
    return dict(SETTINGS)


@pytest.fixture(scope="session")
def make_tree() -> Callable[..., Tree]:
    return Tree.make


@pytest.fixture
def network() -> Iterator[str]:
    """A network of its own on which containers find each other by name."""
    name = f"rarebird-test-{uuid.uuid4().hex[:12]}"
    run_docker("network", "create", name)
    yield name
    run_docker("network", "rm", name, check=False)


@pytest.fixture(scope="session")
def trained(engine: Engine, channels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Trained through the files below /opt/ml alone, never stopped."""
    tree = Tree.make(tmp_path_factory.mktemp("trained") / "ml", channels, SETTINGS)
    engine.start("train", options=tree.mounts).ends_with(0)
    return tree


@pytest.fixture
def sdk(image: str, tmp_path: Path) -> Callable[..., str]:
    """Runs a script of clients/ with a version of the SageMaker Python SDK; what it printed last. Each version is
    installed into an environment of its own in .sdk/, which is kept."""
    if shutil.which("docker-compose") is None and run_docker("compose", "version", check=False).returncode != 0:
        (pytest.fail if "RAREBIRD_CI" in os.environ else pytest.skip)("needs docker-compose")

    def run(version: str, script: str, *words: object) -> str:
        home = ROOT / ".sdk" / version
        if not (home / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            subprocess.run([home / "bin" / "pip", "install", "--quiet", SDK[version]], check=True)
            (home / "done").touch()
        env = {**os.environ, **NOBODY, "HOME": str(tmp_path), "PATH": f"/usr/bin:{os.environ['PATH']}"}  # as CLIENT
        command = [home / "bin" / "python", CLIENTS / script, *map(str, words)]
        ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=3000)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.splitlines()[-1] if ended.stdout else ""

    return run
