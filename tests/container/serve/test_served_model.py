"""The memory that a served model takes for decoding and returns."""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from container import gpu_check
from container.http.errors import RequestError
from container.serve import served_model
from container.serve.errors import NotEnoughMemory
from container.serve.served_model import ServedModel, _trim_heap
from model.errors import Failure
from model.prediction.predictor import EnsemblePredictor
from tests.container.serve.conftest import encoded, settings_of


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is read from /proc")
def test_freed_memory_is_returned_to_the_system():
    """Otherwise malloc keeps it, because the last block is in use, after the freed ones."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    size, number = 100_000, 1_000  # below the size for which malloc uses separate memory maps
    blocks = [libc.malloc(size) for _ in range(number)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    _trim_heap()
    assert before - resident() > size * number / 2
    libc.free(blocks[-1])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_max_pixels_is_a_setting_and_defaults_to_that_of_the_model(model, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # it is of the process: restored at the end
    trained = tmp_path / "trained"
    shutil.copytree(model, trained)
    with (trained / "settings.yaml").open("a", encoding="utf-8") as file:
        file.write("max_pixels: 4800\n")
    for folder, flags, limit in (
        (model, {"max_pixels": 4800}, "4,800"),
        (trained, {"max_pixels": 4879}, "4,879"),
        (trained, {}, "4,800"),
        (model, {"max_pixels": 3}, "3"),  # less than the image that a server predicts when it starts
    ):
        served = ServedModel(folder, settings_of(**flags))
        height = min(80, int(limit.replace(",", "")))
        just, above = (encoded(Image.new("RGB", (width, height))) for width in ((60, 61) if height == 80 else (1, 2)))
        served.prepare(just)
        with pytest.raises(RequestError, match=f"too large: more than {limit} pixels"):
            served.prepare(above)


def test_a_server_that_cannot_use_its_gpus_does_not_start(model, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "visible_gpus", lambda variables: 1)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    (tmp_path / "input").mkdir()
    with pytest.raises(Failure, match="the driver shows 1 GPU, but none can be used"):
        ServedModel(model, settings_of(device="auto"))
    ServedModel(model, settings_of(device="cpu"))


def test_processes_that_load_a_model_together_need_memory_for_all_copies(model, monkeypatch):
    free = 5 * (model / "model.safetensors").stat().st_size
    monkeypatch.setattr(served_model, "free_memory", lambda: free)
    assert served_model._model_folder(model, 2) == model
    with pytest.raises(NotEnoughMemory, match=f"{free:,} are free"):
        served_model._model_folder(model, 3)


def test_large_images_are_decoded_one_at_a_time_if_they_fit_into_memory(serving, monkeypatch):
    client = serving()
    deep = encoded(Image.new("I;16", (4100, 4100)))
    alone: list[bool] = []
    look = EnsemblePredictor.prepare
    given_back: list[bool] = []
    monkeypatch.setattr(served_model, "_trim_heap", lambda: given_back.append(True))
    monkeypatch.setattr(
        EnsemblePredictor,
        "prepare",
        lambda *arguments: alone.append(ServedModel.large_image.locked()) or look(*arguments),
    )
    for content in (deep, encoded(Image.new("I;16", (410, 410)))):
        assert client.post("/invocations", content=content, headers={"Content-Type": "image/png"}).status_code == 200
    assert alone == [True, False] and given_back == [True]
    monkeypatch.setattr(served_model, "free_memory", lambda: 100 << 20)
    response = client.post("/invocations", content=deep, headers={"Content-Type": "image/png"})
    assert response.status_code == 400 and len(alone) == 2
    assert response.json()["error"] == "too large: decoding takes up to 160 MiB of memory; 100 MiB are free"
