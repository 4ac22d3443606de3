"""Multi-model mode: loading, listing, using and unloading models, and errors while loading."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from container import job_script
from container.project_root import PROJECT_ROOT
from container.serve import models
from container.serve import served_model as served
from container.serve.__main__ import main
from container.serve.health import ModelHealth
from container.serve.models import LoadedModel, LoadedModels
from model.errors import Failure
from model.prediction.api import predict
from model.settings.serve import ServeSettings
from tests.container.serve.conftest import IMAGE, ask


def test_models_are_loaded_listed_invoked_and_unloaded(serving, model, another_model, images):
    client = serving(None, multi_model=True)
    assert client.get("/models").json() == {"models": []}
    response = client.post("/invocations", content=images[1], headers=IMAGE)
    assert response.status_code == 404 and "/models/NAME/invoke" in response.json()["error"]
    for name, folder in (("one", model), ("two", another_model)):
        loaded = client.post("/models", json={"model_name": name, "url": str(folder)})
        assert (loaded.status_code, loaded.json()) == (200, {"modelName": name, "modelUrl": str(folder)})
    again = client.post("/models", json={"model_name": "one", "url": str(another_model)})
    assert again.status_code == 409 and "'one'" in again.json()["error"]
    assert [one["modelName"] for one in client.get("/models").json()["models"]] == ["one", "two"]
    page = client.get("/models", params={"limit": "1"}).json()
    rest = client.get("/models", params={"limit": "1", "next_page_token": page["nextPageToken"]}).json()
    assert [one["modelName"] for one in page["models"] + rest["models"]] == ["one", "two"]
    assert "nextPageToken" not in rest
    for name, folder in (("one", model), ("two", another_model)):
        frame = predict(folder, images[:2], device="cpu", precision="fp32")
        reference = frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()
        answers = [ask(client, f"/models/{name}/invoke", image) for image in images[:2]]
        np.testing.assert_allclose(answers, reference, atol=1e-5)
    assert client.get("/models/one").json() == {"modelName": "one", "modelUrl": str(model)}
    assert client.delete("/models/one").status_code == 200
    for method, path in [("GET", "/models/one"), ("DELETE", "/models/one"), ("POST", "/models/one/invoke")]:
        assert client.request(method, path).status_code == 404
    assert ask(client, "/models/two/invoke", images[0])
    assert client.post("/models", json={"model_name": "one", "url": str(model)}).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
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
def test_a_folder_without_a_model_and_an_invalid_body_are_400(serving, body, message):
    response = serving(None, multi_model=True).post("/models", content=body)
    assert response.status_code == 400 and message in response.json()["error"]


@pytest.mark.parametrize(
    ("field", "value"), [("interpolation", "bilinaer"), ("crop_pct", 0), ("mean", "x"), ("std", [0])]
)
def test_a_model_whose_preprocessing_does_not_fit_is_400(serving, model, tmp_path, field, value):
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model" / "preprocessing.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    response = serving(None, multi_model=True).post("/models", json={"model_name": "x", "url": str(tmp_path / "model")})
    assert response.status_code == 400 and field in response.json()["error"]


def test_nothing_heavy_is_imported_before_the_server_listens():
    """/ping is answered with 503 while torch is imported."""
    code = (
        "import sys, container.serve.__main__\n"
        "print(sorted({'torch', 'torchvision', 'timm', 'numpy', 'pandas', 'PIL'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_a_model_in_use_is_unloaded_after_its_requests():
    async def ask() -> list[str]:
        loaded = LoadedModel("", Released(), Closing())
        all_models = LoadedModels(ServeSettings(num_workers=1), len, ModelHealth(1, pytest.fail, pytest.fail))
        all_models.loaded["a"] = loaded
        with loaded.in_use():
            unloading = asyncio.create_task(all_models.unload("a"))
            await asyncio.sleep(0.05)
            events.append("used")
        await unloading
        with pytest.raises(KeyError):
            await all_models.unload("a")
        await all_models.close()
        return events

    class Closing:
        def close(self) -> None:
            events.append("closed")

    class Released:
        def release_memory(self) -> None:
            events.append("released")

    events: list[str] = []
    assert asyncio.run(ask()) == ["used", "closed", "released"]


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("of torch"), ValueError("of timm")])
def test_any_exception_while_loading_is_400(serving, monkeypatch, fault):
    def load(*arguments):
        raise fault

    client = serving(None, multi_model=True)
    monkeypatch.setattr(models, "make_served_model", load)
    response = client.post("/models", json={"model_name": "x", "url": "/y"})
    assert (response.status_code, client.get("/models/x").status_code) == (400, 404)
    assert response.json()["error"] == f"the model in /y cannot be loaded: {type(fault).__name__}: {fault}"


def test_a_model_that_does_not_fit_into_memory_is_507(serving, model, monkeypatch):
    client = serving(None, multi_model=True)
    monkeypatch.setattr(served, "free_memory", lambda: 1000)
    response = client.post("/models", json={"model_name": "large", "url": str(model)})
    assert response.status_code == 507 and "needs about" in response.json()["error"]
    assert client.get("/models/large").status_code == 404


def test_a_start_without_memory_ends_with_1_and_no_traceback(model, monkeypatch, capsys):
    monkeypatch.setattr(served, "free_memory", lambda: 1000)
    with pytest.raises(Failure) as raised:
        main(["--model_dir", str(model), "--host", "127.0.0.1", "--port", "0", "--device", "cpu"])
    code, _ = job_script.report_exception(raised.value)
    output = capsys.readouterr().err
    assert code == 1 and "bytes of memory; 1,000 are free" in output and "Traceback" not in output
