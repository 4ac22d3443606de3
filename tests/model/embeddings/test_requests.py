"""Requests: what changes their hash, and what a damaged file of one means."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model.artifacts.archive import pack
from model.embeddings.requests import (
    REQUESTS,
    CachedFeatures,
    read_request,
    request_digest,
    saved_model_path,
    write_request,
)
from model.errors import InputError
from model.settings.embedder import EmbedderSettings

FOUND = [CachedFeatures("a-8x8-1", "a, 8x8", 5), CachedFeatures("a-9x9-2", "a, 9x9", 5)]


def test_a_request_is_read_as_written(tmp_path: Path) -> None:
    assert read_request(tmp_path, "1f") == []
    write_request(tmp_path, "1f", FOUND)
    assert read_request(tmp_path, "1f") == FOUND and read_request(tmp_path, "2f") == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"folder": "a"}]', "null", '{"folder": "a"}'])
def test_a_damaged_request_is_ignored(tmp_path: Path, text: str) -> None:
    write_request(tmp_path, "1f", FOUND)
    (tmp_path / REQUESTS / "1f.request.json").write_text(text)
    assert read_request(tmp_path, "1f") == []


@pytest.mark.parametrize(
    "change",
    [
        {"model": "resnet18"},
        {"weights": None},
        {"weights": "other.pth"},
        {"input_size": [224]},
        {"sizes": [224]},
        {"precision": "fp32"},
        {"device": "cpu"},
    ],
)
def test_each_setting_changes_the_digest(tmp_path: Path, monkeypatch, change: dict) -> None:
    monkeypatch.chdir(tmp_path)
    Path("weights.pth").write_bytes(b"1")
    Path("other.pth").write_bytes(b"2")
    settings = EmbedderSettings(weights="weights.pth")
    assert request_digest(settings) == request_digest(EmbedderSettings(weights="weights.pth"))
    assert request_digest(settings) != request_digest(replace(settings, **change))


def test_the_content_of_weights_counts_and_their_name_does_not(tmp_path: Path) -> None:
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("c.pth", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (request_digest(EmbedderSettings(weights=str(tmp_path / name))) for name in ("a.pth", "b.pth", "c.pth"))
    assert a == b != c


def test_a_saved_model_is_known_by_its_weights_and_preprocessing(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "renamed"
    shutil.copytree(models / "a", folder)
    settings = EmbedderSettings(model=str(models / "a"))
    before = request_digest(settings)
    assert before == request_digest(replace(settings, model=str(folder)))
    assert before != request_digest(replace(settings, model=str(models / "b")))
    (folder / "metrics.json").write_text((folder / "metrics.json").read_text() + "\n")
    assert before == request_digest(replace(settings, model=str(folder)))
    path = folder / "preprocessing.json"
    path.write_text(path.read_text().replace('"height": 32', '"height": 34'))
    assert before != request_digest(replace(settings, model=str(folder)))


def test_an_archive_is_known_by_its_content(models: Path, tmp_path: Path) -> None:
    pack(models / "a", tmp_path / "model.tar.gz")
    by_file = request_digest(EmbedderSettings(model=str(tmp_path / "model.tar.gz")))
    assert by_file == request_digest(EmbedderSettings(model=str(tmp_path)))


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contain a saved model"):
        request_digest(EmbedderSettings(model=f"{tmp_path}/"))


def test_names_of_saved_models_and_of_backbones(models: Path, monkeypatch) -> None:
    monkeypatch.chdir(models)
    Path("resnet18").mkdir(exist_ok=True)
    assert saved_model_path("a") == Path("a")
    assert saved_model_path("./resnet18") == Path("resnet18")
    assert saved_model_path("x.tar.gz") == Path("x.tar.gz")
    assert saved_model_path("resnet18") is None  # a folder of this name without a model
    assert saved_model_path("mobilenetv2_100") is saved_model_path("thumbnail") is None
    Path("resnet18").rmdir()
