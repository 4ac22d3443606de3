"""The choice of a saved model's backend."""

import gc
import shutil

import pytest

from model.artifacts.files import NETWORK_FILES
from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.prediction.backends import BACKENDS, make_backend, paused_collector


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
    with pytest.raises(InputError, match=r"the file of the network is missing; expected model\.safetensors, toy\.npz"):
        make_backend(saved, "cpu", "fp32")


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_paused_during_an_import(monkeypatch, enabled):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    try:
        if not enabled:
            gc.disable()
        for count in (0, 1):  # objects that the job script froze
            monkeypatch.setattr(gc, "get_freeze_count", lambda count=count: count)
            with paused_collector():
                assert not gc.isenabled()
            assert gc.isenabled() == enabled and len(frozen) == count
        with pytest.raises(ImportError), paused_collector():
            raise ImportError
        assert gc.isenabled() == enabled and len(frozen) == 1
    finally:
        gc.enable()
