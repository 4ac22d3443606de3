"""train.py in this process on drawn images: its files, its log and its settings."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import train
from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.network.probabilities import joint_probabilities
from model.prediction.torch_backend import load_network
from model.settings.fields import as_dict
from model.settings.train import TrainSettings
from model.training.trainer import Trainer

SAVED = {
    "README.md",
    "decision.json",
    "labels.json",
    "learnt_from.npz",
    "metrics.json",
    "model.safetensors",
    "preprocessing.json",
    "settings.yaml",
}
TRACKED = ["--tracking", "auto"]  # the default, which run_train switches off
METRIC_LINE = re.compile(r"^epoch=(\d+) val_f1=([0-9.]+); val_acc=([0-9.]+); .*train_loss=([0-9.]+); lr=([0-9.e-]+);")


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def test_a_run_writes_one_folder_of_readable_files(faces, run_train, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        run = run_train(faces / "train", *TRACKED, "--epochs", "2", "--validation", "0.5")
    assert {path.name for path in run.iterdir()} == SAVED | {"split.csv", "split.json", "tensorboard"}
    saved = metrics(run)
    assert saved["finished"] and saved["epochs"] == 2 and len(saved["history"]) == 2
    assert saved["data"]["train"]["groups"] + saved["data"]["validation"]["groups"] == 24
    assert yaml.safe_load((run / "settings.yaml").read_text())["epochs"] == 2
    assert json.loads((run / "labels.json").read_text())["classes"][5] == "worn/female/60 and over"
    card = (run / "README.md").read_text()
    assert "worn/female/60 and over" in card and "macro F1" in card
    lines = [METRIC_LINE.match(line) for line in caplog.messages]
    assert [int(line[1]) for line in lines if line] == [1, 2]
    low, high = saved["validation"]["intervals"]["acc"]
    assert low <= saved["validation"]["acc"] <= high
    assert "24 groups" not in caplog.text and "train: " in caplog.text and "settings that differ" in caplog.text
    assert not list(run.rglob("*.pt"))


def test_curves_are_written_next_to_the_split(faces, run_train, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("SM_OUTPUT_DATA_DIR", str(tmp_path / "output"))
    run = run_train(faces / "train", *TRACKED, "--log_interval", "1")
    (events,) = (tmp_path / "output" / "exp" / "tensorboard").glob("events.*")
    assert b"f1/worn/male/under 30" in events.read_bytes() and not (run / "tensorboard").exists()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if the package tensorboard were missing
    run_train(faces / "train", *TRACKED, name="without")
    assert {path.name for path in (tmp_path / "output" / "without").iterdir()} == {"split.csv", "split.json"}
    assert caplog.text.count("pip install tensorboard") == 1


def test_the_geometric_mean_is_over_the_classes_of_validation_and_logged_if_it_is_the_criterion(
    faces, run_train, caplog, capsys
):
    """Four of 24 persons, each of one gender and age band: at most 12 of the 18 classes have validation images."""
    with caplog.at_level(logging.INFO, "rarebird"):
        run = run_train(faces / "train", "--best_criterion", "gmean", "--epochs", "2")
    saved = metrics(run)
    present = np.array(saved["validation"]["per_class"]["support"]) > 0
    f1 = np.array(saved["validation"]["per_class"]["f1"])[present]
    assert saved["validation"]["gmean"] == pytest.approx(np.prod(f1) ** (1 / present.sum()))
    assert all("val_gmean" in entry for entry in saved["history"]) and "val_gmean=" in caplog.text
    warning = f"best_criterion gmean is computed over {present.sum()} of 18 classes; there is no validation image of "
    assert caplog.text.count(warning) == 1
    caplog.clear()
    with caplog.at_level(logging.INFO, "rarebird"):
        run = run_train(faces / "train", *TRACKED, name="f1")
    assert "gmean" in metrics(run)["validation"] and "val_gmean" in metrics(run)["history"][0]
    assert "val_gmean=" not in caplog.text and "best_criterion gmean" not in caplog.text
    (events,) = (run / "tensorboard").glob("events.*")
    assert b"score/gmean_f1" not in events.read_bytes() and b"score/macro_f1" in events.read_bytes()


def test_the_weights_are_those_of_the_best_epoch(faces, run_train):
    run = run_train(faces / "train", "--epochs", "3", "--best_criterion", "loss")
    saved = metrics(run)
    losses = [entry["val_loss"] for entry in saved["history"]]
    assert saved["epoch"] == 1 + losses.index(min(losses))
    assert saved["validation"]["loss"] == pytest.approx(min(losses))


@pytest.mark.parametrize("target", ["joint", "heads", "gender"])
def test_every_target_is_saved_and_loaded(faces, run_train, target):
    saved = load_model(run_train(faces / "train", "--target", target))
    assert saved.scheme.names == (("gender",) if target == "gender" else ("mask", "gender", "age"))
    logits = load_network(saved)(torch.zeros(2, 3, 32, 24))
    assert joint_probabilities(saved.heads, logits).shape == (2, saved.scheme.num_classes)


def test_heads_have_their_own_losses_and_weights(faces, run_train):
    heads = {"gender": {"loss": "bce", "loss_weight": 0.5}, "age": {"loss": "cross_entropy", "class_weights": "none"}}
    saved = load_model(run_train(faces / "train", "--target", "heads", "--heads", json.dumps(heads)))
    assert [head.outputs for head in saved.heads.heads] == [3, 1, 3]


@pytest.mark.parametrize(
    "flags",
    [
        ["--loss", "f1", "--class_weights", "none"],
        ["--loss", "label_smoothing", "--sampler", "sqrt", "--class_weights", "effective"],
        ["--augmentation", '{"randaugment": {}, "mixup": {"alpha": 1.0}, "cutmix": {}, "erasing": {"p": 1}}'],
        ["--model", "mobilenetv3_small_050", "--ema", "0.9", "--clip_grad", "1", "--freeze_norm", "true"],
        ["--channels", "1", "--normalisation", "picture", "--hidden_layers", "16", "--dropout", "0.2"],
        ["--precision", "bf16", "--optimizer", "madgrad", "--scheduler", "OneCycleLR", "--channels_last", "false"],
        ["--class_weights", "given", "--class_weight_values", *["1"] * 18, "--accumulate", "2"],
        ["--check", "headers", "--log_interval", "1", "--num_workers", "1"],
    ],
    ids=lambda flags: flags[0].strip("-") + "=" + flags[1][:16],
)
def test_training_works_with_settings(faces, run_train, flags):
    run = run_train(faces / "train", *flags)
    assert metrics(run)["finished"]
    assert all(torch.isfinite(value).all() for value in load_file(run / "model.safetensors").values())


def test_without_validation_the_last_weights_are_saved(faces, run_train):
    run = run_train(faces / "train", "--validation", "0", "--epochs", "1")
    saved = metrics(run)
    assert saved["validation"] is None and saved["data"]["train"]["groups"] == 24
    assert "no validation" in (run / "README.md").read_text()
    assert not (run / "split.csv").exists()


def test_averaged_weights_are_saved(faces, run_train, monkeypatch):
    kept = {}
    train_as_before = Trainer.train

    def watched(self, state=None):
        outcome = train_as_before(self, state)
        kept["average"], kept["last"] = self.ema.module.state_dict(), self.network.state_dict()
        return outcome

    monkeypatch.setattr(Trainer, "train", watched)
    run = run_train(faces / "train", "--validation", "0", "--ema", "0.9")
    saved = load_file(run / "model.safetensors")
    assert all(torch.equal(value, kept["average"][name]) for name, value in saved.items())
    assert not all(torch.equal(value, kept["last"][name]) for name, value in saved.items())


def test_all_of_a_validation_channel_is_used(faces, run_train, tmp_path):
    other = tmp_path / "validation" / "images"
    other.mkdir(parents=True)
    for folder in sorted((faces / "train" / "images").iterdir())[:5]:
        (other / folder.name).symlink_to(folder)
    copied = tmp_path / "copied"
    shutil.copytree(tmp_path / "validation", copied)
    run = run_train(faces / "train", "--validation_dir", str(copied), "--allow_overlap", "true")
    saved = metrics(run)
    assert (saved["data"]["train"]["pictures"], saved["data"]["validation"]["pictures"]) == (168, 35)


def test_check_only_describes_the_data_and_trains_nothing(faces, run_train, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        run = run_train(faces / "train", "--check_only", "true", "--target", "heads")
    assert not run.parent.exists() and "epoch=1" not in caplog.text
    assert "168 images of 24 groups by person" in caplog.text
    assert re.search(r"^mask, 3 values: worn 120, incorrect 24, none 24$", caplog.text, re.M)
    assert "groups (person)" in caplog.text and "to train, run the same command without check_only" in caplog.text
    with pytest.raises(InputError, match="missing channel"):
        run_train(tmp_path / "nowhere", "--check_only", "true")


def test_with_0_epochs_the_initial_model_is_saved(faces, run_train):
    run = run_train(faces / "train", "--epochs", "0")
    assert metrics(run)["epochs"] == 0
    load_network(load_model(run))


def test_frozen_parts_are_not_trained_before_freeze_epochs(faces, run_train, tmp_path):
    start = run_train(faces / "train", "--epochs", "0", name="start")
    before = load_file(start / "model.safetensors")

    def moved(name: str, *flags: str) -> set[str]:
        run = run_train(faces / "train", "--weights", str(start), "--validation", "0", *flags, name=name)
        after = load_file(run / "model.safetensors")
        parameters = dict(load_network(load_model(run)).named_parameters())
        return {key.split(".")[0] for key in parameters if not torch.equal(before[key], after[key])}

    assert moved("frozen", "--freeze", "backbone") == {"heads"}
    assert moved("thawed", "--freeze", "backbone", "--freeze_epochs", "1", "--epochs", "2") == {"backbone", "heads"}


def test_accumulated_batches_give_the_result_of_one_large_batch(faces, run_train):
    """Reference: the same run with batches twice as large; ConvNeXt's layer norms do not depend on the batch."""
    same = ["--model", "test_convnext", "--input_size", "32", "32", "--validation", "0"]
    same += ["--augmentation", "none", "--optimizer", "sgd"]
    same += ["--sampler", "none", "--warmup_epochs", "0", "--epochs", "1"]
    large = run_train(faces / "train", *same, "--batch_size", "84", name="large")
    parts = run_train(faces / "train", *same, "--batch_size", "42", "--accumulate", "2", name="parts")
    a, b = (load_file(run / "model.safetensors") for run in (large, parts))
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)


def test_early_stopping_ends_a_run_that_does_not_improve(faces, run_train, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        run = run_train(faces / "train", "--epochs", "9", "--early_stopping", "2", "--lr", "0", "--freeze_norm", "true")
    assert metrics(run)["epochs"] == 3
    assert "early stopping: no better f1 in the last 2 epochs" in caplog.text


def test_a_warning_is_logged_if_the_prior_is_corrected_twice(faces, run_train, caplog):
    run_train(faces / "train", "--sampler", "imbalanced", "--class_weights", "inverse", "--class_weights_strength", "1")
    assert "class imbalance, in total 2 times" in caplog.text


def test_the_same_settings_give_the_same_model_and_another_seed_another(faces, run_train):
    def weights(name: str, *flags: str) -> dict[str, torch.Tensor]:
        return load_file(run_train(faces / "train", *flags, name=name) / "model.safetensors")

    first, other = weights("a", *TRACKED), weights("c", "--seed", "1")
    again = weights("b", "--num_workers", "2", "--tracking", "none")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_saved_settings_are_read_unchanged(faces, run_train):
    run = run_train(faces / "train", "--augmentation", '{"flip": {"p": 0.3}}', "--age_cuts", "30", "58")
    saved = load_model(run)
    assert saved.settings.augmentation == {"flip": {"p": 0.3}}
    assert saved.scheme.attribute("age").values == ("under 30", "30 to 57", "58 and over")
    assert as_dict(saved.settings).keys() == as_dict(TrainSettings()).keys()


def test_a_run_can_be_repeated_from_its_saved_settings(faces, run_train):
    run = run_train(faces / "train", "--lr", "0.01")
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(run.parent)]
    assert train.main(["--config", str(run / "settings.yaml"), *where, "--name", "again"]) == 0
    first, again = (load_file(folder / "model.safetensors") for folder in (run, run.parent / "again"))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_single_group_is_trained_on_without_validation(faces, run_train, tmp_path, caplog):
    person = sorted((faces / "train" / "images").iterdir())[0]
    shutil.copytree(person, tmp_path / "one" / "images" / person.name)
    run = run_train(tmp_path / "one", "--batch_size", "4")
    assert "there is no validation" in caplog.text
    assert json.loads((run / "metrics.json").read_text())["validation"] is None


def test_class_folders_keep_names_that_are_numbers(faces, run_train, tmp_path):
    pictures = sorted((faces / "eval" / "images").iterdir())
    for number, year in enumerate(("2020", "2019", "100")):
        (tmp_path / "years" / year).mkdir(parents=True)
        for picture in pictures[number * 8 : number * 8 + 8]:
            shutil.copy(picture, tmp_path / "years" / year)
    run = run_train(tmp_path / "years", "--batch_size", "8", "--epochs", "0")
    assert json.loads((run / "labels.json").read_text())["classes"] == ["100", "2019", "2020"]
