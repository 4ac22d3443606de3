"""A saved model whose predictions differ between images, generated images, and servers in this and other processes."""

from __future__ import annotations

import io
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from container.serve.app import Server
from model.artifacts.saved_model import save_model
from model.images.pipeline import InputPipeline
from model.labels import mask_scheme
from model.network.backbone import make_preprocessing
from model.network.heads import make_heads
from model.prediction.api import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from model.settings.train import TrainSettings
from model.weights.initial_weights import make_network
from tests.container.http.server_process import ServerProcess, until

NUMBER = 12
LOCAL = ("--host", "127.0.0.1", "--device", "cpu", "--precision", "fp32")


def make_model(folder: Path, seed: int = 1, target: str = "joint") -> Path:
    """An untrained model. Large weights of its classifier make the predictions of any two images differ."""
    import torch

    torch.manual_seed(seed)
    values = {"model": "test_resnet", "pretrained": False, "input_size": [32, 24], "target": target}
    settings = build(TrainSettings, [Layer("{}", values)])
    heads = make_heads(mask_scheme(), target, lambda head, classes: classes)
    pipeline = InputPipeline(make_preprocessing(settings))
    network = make_network(settings, heads, pipeline.preprocessing)
    with torch.no_grad():
        for parameter in network.heads.parameters():
            parameter.mul_(100)
    counts = {"pictures": 0, "class_counts": [0] * heads.scheme.num_classes}
    data = {"train": counts, "validation": None, "grouped_by": None, "source": "nowhere"}
    metrics = {"finished": True, "data": data, "versions": {}, "hardware": "", "seconds": 0}
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    save_model(folder, weights, settings, heads, pipeline, metrics)
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="session")
def another_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with other weights and one head per attribute."""
    return make_model(tmp_path_factory.mktemp("served") / "another", seed=2, target="heads")


@pytest.fixture(scope="session")
def images() -> list[bytes]:
    """Encoded images: JPEG, PNG, WebP, JPEG, ..."""
    draw, encoded_images = np.random.default_rng(0), []
    for number in range(NUMBER):
        coarse = Image.fromarray(draw.integers(0, 256, (4, 3, 3), dtype=np.uint8))
        encoded_images.append(encoded(coarse.resize((60, 80)), ("JPEG", "PNG", "WEBP")[number % 3]))
    return encoded_images


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


@pytest.fixture(scope="session")
def expected(model: Path, images: list[bytes]) -> np.ndarray:
    """Probabilities (images, classes) from the Python API, which uses the same code as inference.py."""
    frame = predict(model, images, device="cpu", precision="fp32")
    probabilities: np.ndarray = frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy(np.float64)
    apart = np.abs(probabilities[:, None] - probabilities[None]).max(2) + np.eye(len(probabilities))
    assert apart.min() > 1e-3
    return probabilities


def settings_of(**values: object) -> ServeSettings:
    return build(ServeSettings, [Layer("{}", {"device": "cpu", "precision": "fp32", "num_workers": 2, **values})])


@pytest.fixture(scope="module")
def serving(model: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts apps in this process by their settings and waits until they are ready."""
    clients: dict[str, TestClient] = {}

    def start(folder: Path | None = model, **values: object) -> TestClient:
        key = f"{folder} {sorted(values.items())}"
        if key not in clients:
            failures: list[Exception] = []
            client = TestClient(
                Server(settings_of(**values), folder, failures.append).app(), raise_server_exceptions=False
            )
            clients[key] = client.__enter__()
            until(lambda: failures or client.get("/ping").status_code == 200)
            if failures:
                raise failures[0]
        return clients[key]

    yield start
    for client in clients.values():
        client.__exit__(None, None, None)


IMAGE = {"Content-Type": "image/png"}


def ask(client: TestClient, path: str, image: bytes) -> list[float]:
    """The probabilities of an image from the server."""
    response = client.post(path, content=image, headers=IMAGE)
    assert response.status_code == 200, response.text
    return response.json()["probabilities"]


SERVE = [sys.executable, "-m", "container.serve"]
if image := os.environ.get("RAREBIRD_SERVER_IMAGE"):
    folder = tempfile.gettempdir()
    SERVE = ["docker", "run", "--rm", "--network", "host", "--volume", f"{folder}:{folder}", image, "serve"]


class Process(ServerProcess):
    """`python -m container.serve`, or with RAREBIRD_SERVER_IMAGE a container of that image."""

    def __init__(self, *flags: str, **env: str):
        super().__init__([*SERVE, *LOCAL, *flags], **env)

    def ready(self) -> Process:
        super().ready()
        return self

    def check_clients(self, images: list[bytes], expected: np.ndarray, clients: int, seconds: float) -> int:
        """Runs parallel clients that check the predictions of their own images. Returns the number of responses."""
        end = time.monotonic() + seconds

        def one(number: int) -> int:
            draw, count = random.Random(number), 0
            with httpx.Client(base_url=self.url, timeout=60, verify=False) as client:
                while time.monotonic() < end:
                    row = draw.randrange(len(images))
                    response = client.post("/invocations", content=images[row], headers={"Content-Type": "image/png"})
                    assert response.status_code == 200, response.text
                    np.testing.assert_allclose(response.json()["probabilities"], expected[row], atol=1e-5)
                    count += 1
            return count

        with ThreadPoolExecutor(clients) as threads:
            return sum(threads.map(one, range(clients)))


@pytest.fixture(scope="module")
def process() -> Iterator[Callable[..., Process]]:
    """Starts servers. They end after the tests of the module."""
    started: list[Process] = []

    def start(*flags: str, **env: str) -> Process:
        started.append(Process(*flags, **env))
        return started[-1]

    yield start
    for server in started:
        server.end()


PARTS = (
    b"Content-Type: ",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Accept: ",
    b"Connection: close\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"\xff\xfe",
    b"-1",
    b"99999999999999999999",
    b"0\r\n\r\n",
    b"multipart/form-data; boundary=",
    b'{"instances": [',
    b"\\ud800",
    b"%00",
    b"; ",
)
METHODS = (*["POST"] * 9, "GET", "PUT", "X")
PATHS = (*["/invocations"] * 9, "/ping", "/models/x", "*", "/%zz")
TYPES = ("image/png", "image/jpeg", "application/json", "multipart/form-data; boundary=x", "text/x", "", "*/*")


def malformed_request(draw: random.Random, images: list[bytes]) -> bytes:
    """A request with damaged headers or body: bytes changed, removed or inserted, or its end removed."""
    body = draw.choice([*images, b"", b"[" * 50, b'{"image": 5}', b'["AAAA"]', b"--x\r\n\r\n--x--"])
    if draw.random() < 0.3:
        body = damaged(draw, body)
    length = len(body) if draw.random() < 0.8 else draw.choice([0, 1, len(body) + 9, 10**9, 10**18])
    head = (
        f"{draw.choice(METHODS)} {draw.choice(PATHS)} HTTP/1.1\r\nHost: {draw.choice(['x', '[', 'a b', 'x:99999'])}\r\n"
        f"Content-Type: {draw.choice(TYPES)}\r\n"
        f"Accept: {draw.choice(['*/*', 'text/csv', ';;q=,', 'application/json;q=x'])}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()
    whole = head + body
    if draw.random() < 0.5:
        whole = damaged(draw, whole[: len(head)]) + body
    return whole[: draw.randrange(1, len(whole) + 1)] if draw.random() < 0.3 else whole


def damaged(draw: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(changed) + 1)
        changed[at : at + draw.randrange(4)] = draw.choice([draw.choice(PARTS), draw.randbytes(draw.randrange(1, 5))])
    return bytes(changed)


@pytest.fixture(scope="session")
def malformed(images: list[bytes]) -> Callable[[int], bytes]:
    """Creates malformed requests from a number."""
    return lambda number: malformed_request(random.Random(number), images)
