"""--keep_epochs: the weights of the last epochs, resumed, averaged, and out of the way of everything else."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

import train
from model.artifacts.archive import pack, unpack, without_epochs
from model.artifacts.discovery import find_model, models_below
from model.artifacts.learnt_from import read_learnt_from
from model.errors import InputError
from model.training.average import average_models
from model.training.kept_epochs import epoch_file, read_epoch
from model.training.trainer import Trainer

FLAGS = ("--epochs", "3", "--ema", "0.9", "--validation", "0", "--keep_epochs", "2")
UPDATES = 5  # of an epoch: 168 images, batches of 32


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_epochs_are_kept_and_a_resumed_run_keeps_the_same(faces, run_train, tmp_path, monkeypatch):
    whole = run_train(faces / "train", *FLAGS, name="whole")
    kept = ["epoch-0002.safetensors", "epoch-0003.safetensors", "learnt_from.npz"]
    assert names(whole / "epochs") == kept
    # without validation the last weights are saved
    last, saved = load_file(epoch_file(whole / "epochs", 3)), load_file(whole / "model.safetensors")
    assert last.keys() == saved.keys() and all(np.array_equal(last[name], saved[name]) for name in last)
    assert not all(np.array_equal(last[name], load_file(epoch_file(whole / "epochs", 2))[name]) for name in last)
    assert models_below(tmp_path / "runs") == [whole] and find_model(tmp_path / "runs") == whole

    # a crash in epoch 3, with a stale file of an earlier run; the same command resumes
    update = Trainer._update

    def crash(self) -> None:
        update(self)
        if self.progress.updates == 2 * UPDATES + 2:
            raise RuntimeError("crash")

    monkeypatch.setattr(Trainer, "_update", crash)
    with pytest.raises(RuntimeError, match="crash"):
        run_train(faces / "train", *FLAGS, name="resumed")
    resumed = tmp_path / "runs" / "resumed"
    assert names(resumed / "epochs") == ["epoch-0001.safetensors", *kept[:1], kept[2]]
    shutil.copyfile(epoch_file(resumed / "epochs", 2), epoch_file(resumed / "epochs", 7))
    monkeypatch.setattr(Trainer, "_update", update)
    run_train(faces / "train", *FLAGS, name="resumed")
    assert names(resumed / "epochs") == kept
    for epoch in (2, 3):
        one, two = (load_file(epoch_file(run / "epochs", epoch)) for run in (whole, resumed))
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_kept_epochs_can_be_averaged_and_say_what_they_are(faces, run_train, tmp_path):
    run = run_train(faces / "train", "--epochs", "2", "--keep_epochs", "5")
    files = [epoch_file(run / "epochs", epoch) for epoch in (1, 2)]
    models = [read_epoch(file) for file in files]
    assert [model.metrics["epoch"] for model in models] == [1, 2] and models[0].settings.model == "test_resnet"
    history = json.loads((run / "metrics.json").read_text())["history"]
    for model, record in zip(models, history, strict=True):
        assert model.metrics["validation"]["f1"] == record["val_f1"]
    record = average_models(list(map(str, files)), tmp_path / "swa", faces / "train", device="cpu", num_workers=0)
    assert record["renewed_on"] == len(read_learnt_from(run).train) == len(read_learnt_from(tmp_path / "swa").train)
    assert [own["epoch"] for own in record["members"]] == [1, 2]
    one, two, mean = (load_file(file) for file in (*files, tmp_path / "swa" / "model.safetensors"))
    name = next(name for name in mean if name.endswith("weight"))
    np.testing.assert_allclose(mean[name], (one[name] + two[name]) / 2, rtol=1e-5, atol=1e-7)
    # a deployed model does not contain them
    pack(run, tmp_path / "model.tar.gz", wanted=without_epochs)
    unpack(tmp_path / "model.tar.gz", tmp_path / "unpacked")
    assert names(tmp_path / "unpacked") == [name for name in names(run) if name != "epochs"]


def test_without_the_setting_nothing_is_kept_and_the_weights_are_the_same(faces, run_train):
    one = run_train(faces / "train", name="one")
    two = run_train(faces / "train", "--keep_epochs", "1", name="two")
    assert not (one / "epochs").exists() and (two / "epochs").exists()
    first, second = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_where_the_models_folder_is_packed_they_are_next_to_the_checkpoints(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    small = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
    small += ["--epochs", "1", "--num_workers", "0", "--device", "cpu", "--report", "false", "--tracking", "none"]
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path / "model")]
    assert train.main([*small, *where, "--keep_epochs", "1"]) == 0
    assert (tmp_path / "model" / "model.safetensors").is_file() and not (tmp_path / "model" / "epochs").exists()
    assert [path.name for path in tmp_path.rglob("epoch-*")] == ["epoch-0001.safetensors"]
    assert (tmp_path / "checkpoints" / "exp" / "epochs").is_dir()


def test_other_files_are_refused(models, tmp_path):
    weights = models / "a" / "model.safetensors"
    with pytest.raises(InputError, match=r"is not a kept epoch, because its metadata lacks settings\.yaml"):
        average_models([str(weights)] * 2, tmp_path / "out")
    (tmp_path / "epoch-0001.safetensors").write_bytes(b"cut")
    with pytest.raises(InputError, match="unreadable"):
        read_epoch(tmp_path / "epoch-0001.safetensors")
