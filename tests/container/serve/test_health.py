"""Failed batches in a row: /ping, the end of the server, and batches that do not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2 as httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from container.project_root import PROJECT_ROOT
from container.serve import models
from container.serve.app import Server
from container.serve.errors import Unavailable
from container.serve.health import ModelHealth, predict_in_parts
from container.serve.responses import ImagePrediction
from model.errors import Failure
from tests.container.http.server_process import until
from tests.container.serve.conftest import settings_of
from tests.container.serve.stub_model import BAD, FAULT, NO_MEMORY, StubModel, stub_probabilities, stub_server_process

IMAGE = {"Content-Type": "image/png"}


@pytest.fixture
def stub_server(monkeypatch):
    """Starts apps with a stub as their model. Returns the client, the server, and the failures that end it."""
    clients: list[TestClient] = []

    def start(**values: object) -> tuple[TestClient, Server, list[Exception]]:
        monkeypatch.setattr(models, "make_served_model", StubModel)
        failures: list[Exception] = []
        server = Server(settings_of(**values), PROJECT_ROOT, failures.append)
        clients.append(TestClient(server.app(), raise_server_exceptions=False))
        client = clients[-1].__enter__()
        until(lambda: client.get("/ping").status_code == 200)
        return client, server, failures

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def statuses(client: TestClient, *images: bytes) -> list[int]:
    return [client.post("/invocations", content=image, headers=IMAGE).status_code for image in images]


def test_failed_batches_in_a_row_turn_ping_to_503_and_end_the_server(stub_server):
    client, _, failures = stub_server(max_faults=3)
    assert statuses(client, b"x", FAULT, FAULT) == [200, 500, 500]
    assert client.get("/ping").status_code == 200 and not failures
    assert statuses(client, FAULT) == [500]
    assert client.get("/ping").status_code == 503
    late = client.post("/invocations", content=b"x", headers=IMAGE)  # while what is under way is answered
    assert (late.status_code, late.headers["retry-after"]) == (
        503,
        "1",
    ) and "the server is shutting down" in late.json()["error"]
    assert [(type(failure), str(failure)) for failure in failures] == [
        (
            Failure,
            "the model failed on 3 batches in a row; last error: RuntimeError: CUDA error: an illegal memory "
            "access was encountered",
        )
    ]
    assert "rarebird_model_faults_total 3.0" in client.get("/metrics").text


def test_a_success_resets_the_count_and_unreadable_images_do_not_count(stub_server):
    client, server, failures = stub_server(max_faults=2)
    assert statuses(client, FAULT, b"x", FAULT, b"x", FAULT, b"x") == [500, 200] * 3
    assert statuses(client, *[BAD] * 5) == [400] * 5
    assert client.get("/ping").status_code == 200 and not failures
    assert statuses(client, FAULT, BAD, FAULT) == [500, 400, 500]  # an unreadable image does not reset the count
    assert server.models.health.is_broken and len(failures) == 1


def test_with_max_faults_0_the_server_never_ends(stub_server):
    client, _, failures = stub_server(max_faults=0)
    assert statuses(client, *[FAULT] * 5, b"x") == [500] * 5 + [200]
    assert client.get("/ping").status_code == 200 and not failures


def test_a_batch_that_does_not_fit_into_memory_is_predicted_in_parts():
    sizes: list[int] = []

    def predict(images: Sequence[bytes]) -> list[ImagePrediction]:
        sizes.append(len(images))
        return StubModel(None, settings_of()).predict(images)

    images = [b"a", b"bc", NO_MEMORY, b"def", b"ghij"]
    health = ModelHealth(1, pytest.fail, pytest.fail)
    rows = health.watched(predict)(images)
    np.testing.assert_array_equal([row.probabilities for row in rows], [stub_probabilities(image) for image in images])
    assert sizes == [5, 2, 3, 1, 2]


def test_no_memory_for_a_single_image_is_503_and_counts_as_failed(stub_server, monkeypatch):
    def predict(_: object, images: Sequence[bytes]) -> np.ndarray:
        raise MemoryError("CUDA out of memory")

    monkeypatch.setattr(StubModel, "predict", predict)
    with pytest.raises(Unavailable, match="not enough memory to predict an image: CUDA out of memory"):
        predict_in_parts(StubModel(None, settings_of()).predict, [b"x", b"y"])
    client, _, failures = stub_server(max_faults=2)
    assert statuses(client, b"x", b"x") == [503, 503] and len(failures) == 1


def test_a_server_whose_model_fails_ends_with_1_and_the_reason(tmp_path):
    server = stub_server_process(tmp_path, SERVE_MAX_FAULTS="2").ready()
    try:
        with httpx.Client(base_url=server.url, headers=IMAGE) as client:
            assert statuses(client, b"x", FAULT, FAULT) == [200, 500, 500]
        assert server.child.wait(60) == 1, server.output()
        assert "\nerror: the model failed on 2 batches in a row; last error: RuntimeError: CUDA" in server.output()
    finally:
        server.end()
