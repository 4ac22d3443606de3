"""The choice of a saved model's backend."""

import shutil

import pytest

from model.artifacts.files import NETWORK_FILES
from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.prediction.backends import BACKENDS, make_backend


def test_each_network_file_has_a_backend():
    assert set(NETWORK_FILES) == set(BACKENDS)


def test_the_file_chooses_the_backend(models, tmp_path, monkeypatch):
    monkeypatch.setattr("model.artifacts.files.NETWORK_FILES", [*NETWORK_FILES, "toy.npz"])
    monkeypatch.setitem(BACKENDS, "toy.npz", lambda *arguments: arguments)
    saved = load_model(shutil.copytree(models / "a", tmp_path / "exp"))
    assert str(make_backend(saved, "cpu", "fp32")).endswith("fp32")
    (tmp_path / "exp" / "model.safetensors").rename(tmp_path / "exp" / "toy.npz")
    assert make_backend(saved, "cpu", "bf16") == (saved, "cpu", "bf16")
    (tmp_path / "exp" / "toy.npz").unlink()
    with pytest.raises(InputError, match=r"exp: it has no network; expected model\.safetensors, toy\.npz"):
        make_backend(saved, "cpu", "fp32")
