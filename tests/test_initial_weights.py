"""Training that starts from the weights of an earlier model, in the channel `model`."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.errors import InputError

UNTRAINED = ["--epochs", "0"]


@pytest.fixture
def earlier(faces, run_train) -> Path:
    return run_train(faces / "train", name="earlier")


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def test_training_starts_from_the_model_in_the_channel(faces, run_train, earlier, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "rarebird")
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(earlier))
    run = run_train(faces / "train", *UNTRAINED, models=tmp_path / "new")
    assert all(torch.equal(value, weights(earlier)[name]) for name, value in weights(run).items())
    assert f"training starts from the weights of the channel `model`: {earlier}" in caplog.text
    run = run_train(faces / "train", *UNTRAINED, name="beside")
    assert not torch.equal(weights(run)["heads.0.1.weight"], weights(earlier)["heads.0.1.weight"])


def test_the_channel_may_contain_a_model_tar_gz_as_on_sagemaker(
    faces, run_train, earlier, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", "rarebird")
    channel = tmp_path / "channel"
    channel.mkdir()
    with tarfile.open(channel / "model.tar.gz", "w:gz") as tar:
        for path in sorted(earlier.iterdir()):
            if path.is_file():
                tar.add(path, path.name)
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(channel))
    run = run_train(faces / "train", *UNTRAINED, "--target", "mask", models=tmp_path / "new")
    assert "classifier mask: starts from scratch: the saved model has none for mask" in caplog.text
    before, after = weights(earlier), weights(run)
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name.startswith("backbone."))
    assert len(after["heads.0.1.weight"]) == 3


def test_the_setting_weights_overrides_the_channel(faces, run_train, earlier, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "rarebird")
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(tmp_path / "nowhere"))
    run_train(faces / "train", *UNTRAINED, "--weights", str(earlier), models=tmp_path / "new")
    assert "channel `model`" not in caplog.text


def test_a_channel_without_a_model_is_an_error(faces, run_train, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="neither this folder nor its subfolders contain a saved model"):
        run_train(faces / "train", *UNTRAINED, models=tmp_path / "new")
