"""The server in the built image, as SageMaker starts it: the model read-only, any user, stopped by SIGTERM."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from model.prediction.api import predict

pytestmark = pytest.mark.image


def ask(url: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
    """Status and body of an answer; status 0 where nobody answers."""
    request = urllib.request.Request(url, body, {"Content-Type": kind} if kind else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, ConnectionError):
        return 0, b""


@pytest.fixture(scope="module")
def serving(engine, trained, docker):
    """A server and its address, ready to answer."""
    model = ("-v", f"{trained.model}:/opt/ml/model:ro", "--publish", "127.0.0.1::8080")
    locked = ("--read-only", "--tmpfs", "/tmp", "--user", "12345", "--cap-drop", "ALL")
    container = engine.start("serve", options=(*model, *locked), SERVE_PRECISION="fp32")
    address = f"http://{docker('port', container.name, '8080/tcp').stdout.split()[0]}"
    ends = time.monotonic() + 300
    while (status := ask(f"{address}/ping")[0]) != 200:
        assert status in (0, 503) and container.running() and time.monotonic() < ends, container.log()
        time.sleep(0.2)
    return container, address


def test_answers_are_those_of_batch_inference(serving, trained, people):
    pictures = sorted((people / "eval" / "images").iterdir())[:8]
    told = []
    for picture in pictures:
        status, body = ask(f"{serving[1]}/invocations", picture.read_bytes(), "application/x-image")
        assert status == 200
        told.append(json.loads(body)["probabilities"])
    reference = predict(trained.model, [str(path) for path in pictures], precision="fp32", device="cpu")
    assert np.allclose(told, reference.select_dtypes("float32"), atol=1e-5)


def test_errors_are_reported(serving):
    status, body = ask(f"{serving[1]}/invocations", b"no image", "image/jpeg")
    assert status == 400 and json.loads(body)["error"]
    assert ask(f"{serving[1]}/invocations", b"x", "text/plain")[0] == 415
    status, body = ask(f"{serving[1]}/execution-parameters")
    assert status == 200 and json.loads(body)["MaxPayloadInMB"] > 0


def test_sigterm_ends_it_with_0(serving):
    container, _ = serving
    container.stop(30)
    container.ends_with(0)
