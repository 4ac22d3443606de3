"""A saved model whose answers differ from picture to picture, drawn pictures, and servers in and out of this process."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from container.serve.app import Server
from model.heads import make_heads
from model.labels import mask_scheme
from model.network import make_network, make_preprocessing
from model.prediction import predict
from model.saved_model import save_model
from model.settings import Layer, ServeSettings, TrainSettings, build

ROOT = Path(__file__).resolve().parents[3]
NUMBER = 12


def make_model(folder: Path, seed: int = 1, target: str = "joint") -> Path:
    """Untrained; its classifier is made steep, so that no two pictures have one answer."""
    import torch

    torch.manual_seed(seed)
    told = {"model": "resnet10t", "pretrained": False, "input_size": [32, 24], "target": target}
    settings = build(TrainSettings, [Layer("{}", told)])
    heads = make_heads(mask_scheme(), target, lambda head: "cross_entropy")
    preprocessing = make_preprocessing(settings)
    network = make_network(settings, heads, preprocessing)
    with torch.no_grad():
        for parameter in network.heads.parameters():
            parameter.mul_(100)
    counts = {"pictures": 0, "class_counts": [0] * heads.scheme.num_classes}
    data = {"train": counts, "validation": None, "grouped_by": None, "source": "nowhere"}
    metrics = {"finished": True, "data": data, "versions": {}, "hardware": "", "seconds": 0}
    save_model(folder, network.state_dict(), settings, heads, preprocessing, metrics)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="session")
def another_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of other weights, with a head an attribute."""
    return make_model(tmp_path_factory.mktemp("served") / "another", seed=2, target="heads")


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """JPEG, PNG and WebP in turn."""
    draw, made = np.random.default_rng(0), []
    for number in range(NUMBER):
        coarse = Image.fromarray(draw.integers(0, 256, (4, 3, 3), dtype=np.uint8))
        made.append(encoded(coarse.resize((60, 80)), ("JPEG", "PNG", "WEBP")[number % 3]))
    return made


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


@pytest.fixture(scope="session")
def expected(model: Path, pictures: list[bytes]) -> np.ndarray:
    """(pictures, classes) by the Python call that inference.py shares its way with."""
    frame = predict(model, pictures, device="cpu", precision="fp32")
    found: np.ndarray = frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy(np.float64)
    apart = np.abs(found[:, None] - found[None]).max(2) + np.eye(len(found))
    assert apart.min() > 1e-3
    return found


def settings_of(**told: object) -> ServeSettings:
    return build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32", "num_workers": 2, **told})])


@pytest.fixture(scope="module")
def serving(model: Path) -> Iterator[Callable[..., TestClient]]:
    """Apps in this process, ready to answer, by their settings."""
    clients: dict[str, TestClient] = {}

    def start(place: Path | None = model, **told: object) -> TestClient:
        key = f"{place} {sorted(told.items())}"
        if key not in clients:
            faults: list[Exception] = []
            client = TestClient(Server(settings_of(**told), place, faults.append).app(), raise_server_exceptions=False)
            clients[key] = client.__enter__()
            until(lambda: faults or client.get("/ping").status_code == 200)
            if faults:
                raise faults[0]
        return clients[key]

    yield start
    for client in clients.values():
        client.__exit__(None, None, None)


def until(true: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


class Process:
    """`python -m container.serve` on a port of its own."""

    def __init__(self, *flags: str, **env: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.child = subprocess.Popen(
            [sys.executable, "-m", "container.serve", "--port", str(self.port), "--host", "127.0.0.1"]
            + ["--device", "cpu", "--precision", "fp32", *flags],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ping(self) -> int:
        """Its status; 0 where nobody listens."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=5).status_code
        except httpx.TransportError:
            return 0

    def ready(self) -> Process:
        until(lambda: self.ping() == 200 or self.child.poll() is not None)
        assert self.child.poll() is None, self.child.communicate()[0]
        return self

    def stop(self, seconds: float = 60) -> tuple[int, str]:
        """Exit code and what it printed."""
        self.child.send_signal(signal.SIGTERM)
        told = self.child.communicate(timeout=seconds)[0]
        return self.child.returncode, told


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    """Starts servers that end with the test."""
    started: list[Process] = []

    def start(*flags: str, **env: str) -> Process:
        started.append(Process(*flags, **env))
        return started[-1]

    yield start
    for server in started:
        if server.child.poll() is None:
            server.child.kill()
            server.child.communicate()
