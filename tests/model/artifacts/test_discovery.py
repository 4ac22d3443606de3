"""Finding the model in a folder."""

import os

import pytest

from model.artifacts.discovery import find_model, is_finished, models_below, newest_model
from model.artifacts.ensemble_file import EnsembleFile, EnsembleMember, write_ensemble_file
from model.errors import InputError


def test_the_only_model_below_a_folder_is_used_and_more_are_an_error(write_model, tmp_path):
    models = tmp_path / "models"
    for name in ("joint", "heads"):
        write_model(models / name)
    one = tmp_path / "one"
    write_model(one / "deep" / "exp")
    (one / "model.tar.gz").touch()
    assert find_model(one) == one / "deep" / "exp"
    assert find_model(models / "joint") == models / "joint"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"contains 2 saved models.*heads, joint"):
        find_model(models)
    with pytest.raises(InputError, match="neither this folder nor its subfolders contain a saved model"):
        find_model(empty)
    with pytest.raises(InputError, match="no such folder; nearest: joint"):
        find_model(models / "jiont")


def test_an_error_lists_missing_and_existing_files(write_model, tmp_path):
    (write_model(tmp_path) / "model.safetensors").unlink()
    with pytest.raises(InputError) as raised:
        find_model(tmp_path)
    message = str(raised.value)
    assert "missing: model.safetensors; the folder contains labels.json, metrics.json, preprocessing.json" in message


def test_a_model_of_another_backend_is_found(write_model, tmp_path, monkeypatch):
    (write_model(tmp_path / "deep" / "exp") / "model.safetensors").rename(tmp_path / "deep" / "exp" / "toy.npz")
    assert models_below(tmp_path) == []
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", ["model.safetensors", "toy.npz"])
    assert find_model(tmp_path) == tmp_path / "deep" / "exp"


def test_members_of_an_ensemble_and_hidden_folders_are_skipped(write_model, tmp_path):
    write_model(tmp_path / "folds" / "fold1")
    write_ensemble_file(tmp_path / "folds", EnsembleFile("soft", (EnsembleMember("fold1", 1.0),)))
    write_model(tmp_path / ".part" / "exp")
    assert models_below(tmp_path) == [tmp_path / "folds"] and find_model(tmp_path) == tmp_path / "folds"


def test_a_run_is_finished_by_its_metrics_and_an_ensemble_by_ensemble_json(write_model, tmp_path):
    assert not is_finished(tmp_path)
    assert is_finished(write_model(tmp_path)) and not is_finished(write_model(tmp_path, finished=False))
    for finished in (True, False):
        write_ensemble_file(tmp_path, EnsembleFile("soft", (EnsembleMember("a", 1.0),), finished))
        assert is_finished(tmp_path) == finished
    (tmp_path / "ensemble.json").write_text("{")
    assert not is_finished(tmp_path)


def test_the_newest_finished_run_is_taken(write_model, tmp_path):
    for seconds, name in enumerate(("old", "new", "stopped", "cut")):
        metrics = write_model(tmp_path / name, finished=name != "stopped") / "metrics.json"
        os.utime(metrics, (1_700_000_000 + seconds,) * 2)
    (tmp_path / "cut" / "metrics.json").write_text('{"finished": tr')
    assert newest_model(tmp_path).name == "new"
    write_model(tmp_path / "both" / "a")
    write_ensemble_file(tmp_path / "both", EnsembleFile("soft", (EnsembleMember("a", 1.0),)))
    assert newest_model(tmp_path).name == "both"


def test_without_a_finished_run_the_hint_ends_the_message(write_model, tmp_path):
    write_model(tmp_path / "stopped", finished=False)
    with pytest.raises(InputError, match=r"no model was given, and .* contains no finished run: name one$"):
        newest_model(tmp_path, "name one")
    with pytest.raises(InputError, match=r"gone contains no finished run$"):
        newest_model(tmp_path / "gone")
