"""Multi-model mode, full queues, and settings from SageMaker's variables."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from starlette.testclient import TestClient

from container import job_script, settings_layers
from container.job_types import SERVE
from container.serve import models
from container.serve import served_model as served
from container.serve.__main__ import listening, main, model_place
from container.serve.app import Server
from container.serve.models import ONLY
from model.errors import Failure, InputError
from model.prediction.api import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings

PICTURE = {"Content-Type": "image/png"}


def ask(client: TestClient, path: str, picture: bytes) -> list[float]:
    found = client.post(path, content=picture, headers=PICTURE)
    assert found.status_code == 200, found.text
    return found.json()["probabilities"]


def test_models_are_loaded_listed_invoked_and_unloaded(serving, model, another_model, pictures):
    client = serving(None, multi_model=True)
    assert client.get("/models").json() == {"models": []}
    found = client.post("/invocations", content=pictures[1], headers=PICTURE)
    assert found.status_code == 404 and "/models/NAME/invoke" in found.json()["error"]
    for name, place in (("one", model), ("two", another_model)):
        loaded = client.post("/models", json={"model_name": name, "url": str(place)})
        assert (loaded.status_code, loaded.json()) == (200, {"modelName": name, "modelUrl": str(place)})
    again = client.post("/models", json={"model_name": "one", "url": str(another_model)})
    assert again.status_code == 409 and "'one'" in again.json()["error"]
    assert [one["modelName"] for one in client.get("/models").json()["models"]] == ["one", "two"]
    page = client.get("/models", params={"limit": "1"}).json()
    rest = client.get("/models", params={"limit": "1", "next_page_token": page["nextPageToken"]}).json()
    assert [one["modelName"] for one in page["models"] + rest["models"]] == ["one", "two"]
    assert "nextPageToken" not in rest
    for name, place in (("one", model), ("two", another_model)):
        frame = predict(place, pictures[:2], device="cpu", precision="fp32")
        reference = frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()
        answers = [ask(client, f"/models/{name}/invoke", picture) for picture in pictures[:2]]
        np.testing.assert_allclose(answers, reference, atol=1e-5)
    assert client.get("/models/one").json() == {"modelName": "one", "modelUrl": str(model)}
    assert client.delete("/models/one").status_code == 200
    for method, path in [("GET", "/models/one"), ("DELETE", "/models/one"), ("POST", "/models/one/invoke")]:
        assert client.request(method, path).status_code == 404
    assert ask(client, "/models/two/invoke", pictures[0])
    assert client.post("/models", json={"model_name": "one", "url": str(model)}).status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "expected"),
        (b"[]", "expected"),
        (b'{"model_name": "x"}', "expected"),
        (b'{"model_name": 5, "url": "/x"}', "expected"),
        (b'{"model_name": "x", "url": "\\u0000"}', "there is no such folder"),
        (b'{"model_name": "x", "url": "/' + b"x" * 5000 + b'"}', "too long"),
        (b'{"model_name": "x", "url": "/nowhere"}', "there is no such folder"),
    ],
)
def test_what_is_no_model_is_told(serving, body, told):
    found = serving(None, multi_model=True).post("/models", content=body)
    assert found.status_code == 400 and told in found.json()["error"]


@pytest.mark.parametrize(
    ("field", "value"), [("interpolation", "bilinaer"), ("crop_pct", 0), ("mean", "x"), ("std", [0])]
)
def test_a_model_whose_preprocessing_does_not_fit_is_400(serving, model, tmp_path, field, value):
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model" / "preprocessing.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    found = serving(None, multi_model=True).post("/models", json={"model_name": "x", "url": str(tmp_path / "model")})
    assert found.status_code == 400 and field in found.json()["error"]


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("of torch"), ValueError("of timm")])
def test_any_fault_of_loading_is_told_as_400(serving, monkeypatch, fault):
    def load(*told):
        raise fault

    client = serving(None, multi_model=True)
    monkeypatch.setattr(models, "_load", load)
    found = client.post("/models", json={"model_name": "x", "url": "/y"})
    assert (found.status_code, client.get("/models/x").status_code) == (400, 404)
    assert found.json()["error"] == f"the model in /y cannot be loaded: {type(fault).__name__}: {fault}"


def test_a_model_for_which_there_is_no_memory_is_507(serving, model, monkeypatch):
    client = serving(None, multi_model=True)
    monkeypatch.setattr(served, "free_memory", lambda: 1000)
    found = client.post("/models", json={"model_name": "large", "url": str(model)})
    assert found.status_code == 507 and "needs some" in found.json()["error"]
    assert client.get("/models/large").status_code == 404


def test_a_start_without_memory_ends_with_1_and_one_sentence(model, monkeypatch, capsys):
    monkeypatch.setattr(served, "free_memory", lambda: 1000)
    with pytest.raises(Failure) as found:
        main(["--model_dir", str(model), "--host", "127.0.0.1", "--port", "0", "--device", "cpu"])
    code, _ = job_script.report_exception(found.value)
    told = capsys.readouterr().err
    assert code == 1 and "bytes of memory, there are 1,000" in told and "Traceback" not in told


def blocked(settings: ServeSettings, place, go: threading.Event) -> tuple[TestClient, Server]:
    """A server whose model computes when it may."""
    server = Server(settings, place, pytest.fail)
    client = TestClient(server.app()).__enter__()
    while client.get("/ping").status_code != 200:
        pass
    batcher = server.models.loaded[ONLY].batcher
    answer = batcher.answer

    def wait(looks):
        assert go.wait(60)
        return answer(looks)

    batcher.answer = wait
    return client, server


def test_a_full_queue_sends_away_with_retry_after_and_goes_on(model, pictures):
    go = threading.Event()
    told = {"device": "cpu", "precision": "fp32", "max_queue": 3, "batch_size": 1}
    client, server = blocked(build(ServeSettings, [Layer("{}", told)]), model, go)
    with ThreadPoolExecutor(3) as clients:
        answers = [clients.submit(ask, client, "/invocations", picture) for picture in pictures[:3]]
        while server.pictures.taken < 3:
            pass
        for _ in range(20):
            away = client.post("/invocations", content=pictures[3], headers=PICTURE)
            assert (away.status_code, away.headers["retry-after"]) == (503, "1") and "wait" in away.json()["error"]
            assert client.get("/ping").status_code == 200
            assert (server.pictures.taken, server.bodies.taken) == (3, sum(map(len, pictures[:3])))
        go.set()
        assert all(len(answer.result()) == 18 for answer in answers)
    assert ask(client, "/invocations", pictures[3])
    assert (server.pictures.taken, server.bodies.taken) == (0, 0)
    client.__exit__(None, None, None)


def test_an_answer_that_takes_too_long_is_503_and_holds_nothing(model, pictures):
    go = threading.Event()
    told = {"device": "cpu", "precision": "fp32", "timeout": 0.3}
    client, server = blocked(build(ServeSettings, [Layer("{}", told)]), model, go)
    late = client.post("/invocations", content=pictures[1], headers=PICTURE)
    assert (late.status_code, late.headers["retry-after"]) == (503, "1") and "within 0.3 s" in late.json()["error"]
    assert (server.pictures.taken, server.bodies.taken) == (0, 0)
    go.set()
    client.__exit__(None, None, None)


def test_settings_come_from_sagemakers_variables_ours_and_flags(monkeypatch):
    for name, value in {
        "SAGEMAKER_BIND_TO_PORT": "9000",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT": "120",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "SAGEMAKER_BATCH": "True",
        "SERVE_NUM_TTA": "4",
        "SERVE_PORT": "9001",
        "SERVE_PRECISION": "fp32",
        "SM_HP_NUM_TTA": "8",
    }.items():
        monkeypatch.setenv(name, value)
    found, _ = settings_layers.read(SERVE, ["--precision", "bf16"], "")
    assert (found.port, found.max_payload_mb, found.timeout, found.num_workers) == (9001, 6, 120, 3)
    assert (found.accept, found.batch, found.num_tta, found.precision) == ("text/csv", True, 4, "bf16")


def test_seconds_win_where_the_timeout_is_told_twice(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", "240")
    assert settings_layers.read(SERVE, [], "")[0].timeout == 240
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_TIMEOUT", "20")
    assert settings_layers.read(SERVE, [], "")[0].timeout == 240


def test_what_kubernetes_tells_of_a_service_named_serve_is_no_setting(monkeypatch):
    """Its documentation: Service, Discovering services, Environment variables."""
    for service in ("SERVE", "SERVE_FACES"):
        for name, value in {
            "SERVICE_HOST": "10.0.0.11",
            "SERVICE_PORT": "8080",
            "SERVICE_PORT_HTTP": "8080",
            "PORT": "tcp://10.0.0.11:8080",
            "PORT_8080_TCP": "tcp://10.0.0.11:8080",
            "PORT_8080_TCP_PROTO": "tcp",
            "PORT_8080_TCP_PORT": "8080",
            "PORT_8080_TCP_ADDR": "10.0.0.11",
        }.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    assert settings_layers.read(SERVE, [], "")[0] == ServeSettings()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SERVE_PROT", "tcp://10.0.0.11:8080", "nearest: port"),
        ("SERVE_PORT", "http", "expected a whole number"),
        ("SERVE_PORTS", "8080", "nearest: port"),
        ("SAGEMAKER_BIND_TO_PORT", "http", "SAGEMAKER_BIND_TO_PORT"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/cvs", "nearest: text/csv"),
        ("SERVE_NUM_TAA", "4", "nearest: num_tta"),
    ],
)
def test_variables_that_do_not_fit_are_told(monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=told):
        settings_layers.read(SERVE, [], "")


def test_the_model_is_what_flag_variable_or_tree_name(model, tmp_path, monkeypatch):
    def place(*flags: str):
        return model_place(*settings_layers.read(SERVE, flags, ""))

    base = tmp_path / "ml"
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    with pytest.raises(InputError, match="no finished run lies in runs"):
        place()
    shutil.copytree(model, base / "model")
    (base / "model" / "model.tar.gz").write_bytes(b"of the SDK's local mode")
    (base / "model" / "output.tar.gz").write_bytes(b"likewise")
    shutil.copytree(model, base / "model" / "checkpoint-of-something")
    assert place() == base / "model"
    monkeypatch.setenv("SM_MODEL_DIR", str(model.parent))
    assert place() == model
    assert place("--model_dir", str(base / "model")) == base / "model"
    assert place("--multi_model") is None


def test_a_missing_model_or_a_taken_port_ends_before_anything_is_loaded(model, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        main(["--model_dir", str(tmp_path / "nothing"), "--port", "0"])
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{port}"):
            main(["--model_dir", str(model), "--host", "127.0.0.1", "--port", port])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_not_held_back_to_be_sent_with_more(host):
    """asyncio sets TCP_NODELAY on connections whose socket names its protocol."""
    with listening(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP
