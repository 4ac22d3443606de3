"""Whether a folder is a saved model or an ensemble, by the names of its files."""

import pytest

from model.artifacts.files import (
    NETWORK_FILES,
    is_ensemble,
    is_saved_model,
    last_written,
    missing_files,
    needed_files,
    network_file,
)

NEEDED = ["model.safetensors", "settings.yaml", "labels.json", "preprocessing.json", "metrics.json"]


def test_a_saved_model_has_no_missing_files(tmp_path, write_model):
    assert missing_files(tmp_path) == needed_files() == NEEDED
    assert missing_files(write_model(tmp_path)) == [] and is_saved_model(tmp_path) and not is_ensemble(tmp_path)


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_missing_is_named(tmp_path, write_model, name):
    (write_model(tmp_path) / name).unlink()
    assert missing_files(tmp_path) == [name]
    assert is_saved_model(tmp_path) == (name not in ("model.safetensors", "settings.yaml"))


def test_an_ensemble_is_complete_with_ensemble_json_a_model_with_metrics_json(tmp_path, write_model):
    assert last_written(write_model(tmp_path)) == tmp_path / "metrics.json"
    (tmp_path / "ensemble.json").touch()
    assert last_written(tmp_path) == tmp_path / "ensemble.json" and is_ensemble(tmp_path)


def test_any_network_file_makes_a_saved_model_and_the_first_is_used(tmp_path, write_model, monkeypatch):
    write_model(tmp_path).joinpath("model.safetensors").rename(tmp_path / "toy.npz")
    assert not is_saved_model(tmp_path) and missing_files(tmp_path) == ["model.safetensors"]
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", [*NETWORK_FILES, "toy.npz"])
    assert is_saved_model(tmp_path) and missing_files(tmp_path) == [] and network_file(tmp_path) == "toy.npz"
    (tmp_path / "model.safetensors").touch()
    assert network_file(tmp_path) == "model.safetensors"
    assert missing_files(tmp_path / "gone")[0] == "model.safetensors or toy.npz"
