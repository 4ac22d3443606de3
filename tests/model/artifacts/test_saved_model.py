"""Saved models that are whole, and those that are not."""

import json
import shutil

import pytest
import torch

from model.artifacts.archive import opened_model, pack
from model.artifacts.files import CARD, NEEDED
from model.artifacts.saved_model import load_model, save_model
from model.decisions import Decision
from model.errors import InputError


def test_a_model_is_loaded_as_it_was_saved(models, tmp_path):
    saved = load_model(models / "a")
    save_model(tmp_path, saved.network.state_dict(), saved.settings, saved.heads, saved.preprocessing, saved.metrics)
    again = load_model(tmp_path)
    assert (again.settings, again.heads, again.preprocessing) == (saved.settings, saved.heads, saved.preprocessing)
    assert again.metrics == saved.metrics and again.scheme.num_classes == 18 and not again.network.training
    for name, value in saved.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value)
    for name in (*NEEDED, CARD):
        assert (tmp_path / name).read_bytes() == (models / "a" / name).read_bytes()


def test_a_decision_is_saved_and_packed_with_the_model(models, tmp_path):
    saved, decision = load_model(models / "mask"), Decision(2.0, (0.0, 1.0, -1.0))
    parts = (saved.settings, saved.heads, saved.preprocessing, saved.metrics)
    save_model(tmp_path / "exp", saved.network.state_dict(), *parts, decision)
    pack(tmp_path / "exp", tmp_path / "model.tar.gz")
    with opened_model(tmp_path / "model.tar.gz") as folder:
        assert load_model(folder).decision == decision
    (tmp_path / "exp" / "decision.json").unlink()  # as of an earlier version
    assert load_model(tmp_path / "exp").decision == Decision()


def test_labels_are_those_of_the_classes_alone(models):
    saved = load_model(models / "mask")
    labels = saved.labels()
    assert labels["classes"] == ["worn", "incorrect", "none"] and "heads" not in labels
    assert json.loads((models / "mask" / "labels.json").read_text()).items() > labels.items()


@pytest.mark.parametrize("missing", ["labels.json", "preprocessing.json", "metrics.json"])
def test_a_model_with_a_part_missing_names_it(models, tmp_path, missing):
    shutil.copytree(models / "a", tmp_path / "exp")
    (tmp_path / "exp" / missing).unlink()
    with pytest.raises(InputError, match=missing.replace(".", r"\.")):
        load_model(tmp_path / "exp")


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("labels.json", lambda text: "{", "labels.json: cannot be read"),
        ("labels.json", lambda text: text.replace('"classes": 18', '"classes": 17'), "do not answer"),
        ("settings.yaml", lambda text: text.replace("resnet10t", "resnet10x"), "nearest: resnet10t"),
        ("settings.yaml", lambda text: text + "colour: blue\n", "colour: there is no such setting"),
        ("settings.yaml", lambda text: text.replace("resnet10t", "resnet18"), "the weights do not fit"),
        ("preprocessing.json", lambda text: '{"hight": 3}', "not a preprocessing"),
        ("decision.json", lambda text: text.replace("[]", "[1, 2]"), r"exp: decision\.json: biases: expected 18"),
    ],
)
def test_a_model_that_is_damaged_says_where(models, tmp_path, name, change, told):
    shutil.copytree(models / "a", tmp_path / "exp")
    path = tmp_path / "exp" / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        load_model(tmp_path / "exp")


def test_weights_that_were_cut_off_are_told(models, tmp_path):
    shutil.copytree(models / "a", tmp_path / "exp")
    path = tmp_path / "exp" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        load_model(tmp_path / "exp")


def test_saving_again_leaves_no_parts(models, tmp_path):
    saved = load_model(models / "a")
    (tmp_path / ".model.safetensors.1.part").touch()
    save_model(tmp_path, saved.network.state_dict(), saved.settings, saved.heads, saved.preprocessing, saved.metrics)
    assert not list(tmp_path.glob(".*"))
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044
    load_model(tmp_path)
