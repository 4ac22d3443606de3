"""Complete saved models, and incomplete ones."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from model.artifacts.archive import opened_model, pack
from model.artifacts.files import CARD, needed_files
from model.artifacts.saved_model import load_model, save_model
from model.decisions import Decision
from model.errors import InputError


def test_a_model_is_loaded_as_it_was_saved(models, tmp_path):
    saved, weights = load_model(models / "a"), load_file(models / "a" / "model.safetensors")
    save_model(tmp_path, weights, saved.settings, saved.heads, saved.pipeline, saved.metrics)
    again = load_model(tmp_path)
    assert (again.settings, again.heads, again.pipeline) == (saved.settings, saved.heads, saved.pipeline)
    assert again.metrics == saved.metrics and again.scheme.num_classes == 18
    for name in (*needed_files(), CARD):
        assert (tmp_path / name).read_bytes() == (models / "a" / name).read_bytes()


def test_weights_have_the_bytes_that_torch_would_write(models, tmp_path):
    """Of every memory layout, and of a scalar."""
    saved = load_model(models / "a")
    tensors = {
        "b.weight": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "a.running_mean": torch.randn(7),
        "a.num_batches_tracked": torch.tensor(3),
        "b.bias": torch.randn(4, 3).t(),
    }
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    save_model(tmp_path, arrays, saved.settings, saved.heads, saved.pipeline, saved.metrics)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "expected")
    assert (tmp_path / "model.safetensors").read_bytes() == (tmp_path / "expected").read_bytes()
    for name, array in load_file(tmp_path / "model.safetensors").items():
        np.testing.assert_array_equal(array, arrays[name], strict=True)


def test_a_decision_is_saved_and_packed_with_the_model(models, tmp_path):
    saved, decision = load_model(models / "mask"), Decision(2.0, (0.0, 1.0, -1.0))
    parts = (saved.settings, saved.heads, saved.pipeline, saved.metrics)
    save_model(tmp_path / "exp", load_file(models / "mask" / "model.safetensors"), *parts, decision)
    pack(tmp_path / "exp", tmp_path / "model.tar.gz")
    with opened_model(tmp_path / "model.tar.gz") as folder:
        assert load_model(folder).decision == decision
    (tmp_path / "exp" / "decision.json").unlink()  # as of an earlier version
    assert load_model(tmp_path / "exp").decision == Decision()


def test_labels_describe_only_the_classes(models):
    saved = load_model(models / "mask")
    labels = saved.labels()
    assert labels["classes"] == ["worn", "incorrect", "none"] and "heads" not in labels
    assert json.loads((models / "mask" / "labels.json").read_text()).items() > labels.items()


@pytest.mark.parametrize("missing", ["labels.json", "preprocessing.json", "metrics.json"])
def test_a_missing_file_of_a_model_is_named(models, tmp_path, missing):
    shutil.copytree(models / "a", tmp_path / "exp")
    (tmp_path / "exp" / missing).unlink()
    with pytest.raises(InputError, match=missing.replace(".", r"\.")):
        load_model(tmp_path / "exp")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("labels.json", lambda text: "{", "labels.json: cannot be read"),
        ("labels.json", lambda text: text.replace('"classes": 18', '"classes": 17'), "do not predict the attributes"),
        ("settings.yaml", lambda text: text + "colour: blue\n", "colour: there is no such setting"),
        ("preprocessing.json", lambda text: '{"hight": 3}', "invalid preprocessing"),
        ("decision.json", lambda text: text.replace("[]", "[1, 2]"), r"exp: decision\.json: biases: expected 18"),
    ],
)
def test_an_error_about_a_damaged_model_names_the_file(models, tmp_path, name, change, message):
    shutil.copytree(models / "a", tmp_path / "exp")
    path = tmp_path / "exp" / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_model(tmp_path / "exp")


def test_saving_again_leaves_no_parts(models, tmp_path):
    saved, weights = load_model(models / "a"), load_file(models / "a" / "model.safetensors")
    (tmp_path / ".model.safetensors.1.part").touch()
    save_model(tmp_path, weights, saved.settings, saved.heads, saved.pipeline, saved.metrics)
    assert not list(tmp_path.glob(".*"))
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044
    load_model(tmp_path)
