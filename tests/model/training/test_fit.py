"""fit outside of a job: without folders, signals and trackers."""

from __future__ import annotations

import json
import logging
import signal
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model.artifacts.saved_model import load_model, save_model
from model.data.channel import read_channel
from model.data.datasets import Datasets, make_datasets
from model.decisions import Decision
from model.errors import InputError, Problems
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.criterion import Criterion
from model.training.fit import fit, make_trainer
from model.training.tracking.base import EpochResult, Tracker

SMALL = {
    "model": "test_resnet",
    "pretrained": False,
    "input_size": [32, 24],
    "batch_size": 32,
    "epochs": 1,
    "num_workers": 0,
    "device": "cpu",
    "precision": "fp32",
}


def settings(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", {**SMALL, **values})])


def datasets(faces: Path, settings: TrainSettings) -> Datasets:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return make_datasets(settings, table, None)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def test_weights_and_metrics_are_those_of_the_job(faces, run_train, tmp_path):
    run_settings = settings(target="heads", ema=0.9)
    before = signal.getsignal(signal.SIGTERM), sorted(tmp_path.iterdir()), sorted(Path().iterdir())
    outcome = fit(run_settings, datasets(faces, run_settings))
    assert (signal.getsignal(signal.SIGTERM), sorted(tmp_path.iterdir()), sorted(Path().iterdir())) == before
    run = run_train(faces / "train", "--target", "heads", "--ema", "0.9")
    assert equal(outcome.weights, load_file(run / "model.safetensors"))
    job = json.loads((run / "metrics.json").read_text())
    assert outcome.progress.best is not None and outcome.progress.best.metrics == job["validation"]
    assert outcome.stopped_by is None and outcome.progress.epoch == job["epochs"] and outcome.progress.seconds > 0
    saved = load_model(run)
    assert (outcome.heads, outcome.pipeline) == (saved.heads, saved.pipeline)


def test_an_outcome_contains_what_a_saved_model_needs(faces, tmp_path):
    run_settings = settings(target="gender", epochs=0, decision_args={"biases": [0, 0.5]})
    data = datasets(faces, run_settings)
    channel = read_channel(faces / "train", Problems(""))
    outcome = fit(run_settings, data, channel=channel.scheme)
    assert outcome.heads.channel == channel.scheme
    metrics = {"finished": True, "epoch": 0, "epochs": 0, "validation": None, "history": [], "data": data.summary()}
    metrics |= {"seconds": 0.0, "hardware": "CPU", "versions": {}}
    weights, decision = {name: value.numpy() for name, value in outcome.weights.items()}, outcome.decision
    save_model(tmp_path / "m", weights, outcome.settings, outcome.heads, outcome.pipeline, metrics, decision)
    saved = load_model(tmp_path / "m")
    assert (saved.settings, saved.heads, saved.pipeline) == (run_settings, outcome.heads, outcome.pipeline)
    assert saved.decision == decision == Decision(biases=(0.0, 0.5))


def test_it_resumes_and_returns_the_outcome_of_a_finished_run(faces, tmp_path, monkeypatch):
    run_settings, checkpoints = settings(epochs=2), Checkpoints(tmp_path)
    data = datasets(faces, run_settings)
    whole = fit(run_settings, data, checkpoints=checkpoints)
    state = torch.load(checkpoints.files()[0], weights_only=True)
    assert state["epoch"] == 1
    assert equal(fit(run_settings, data, state=state).weights, whole.weights)
    checkpoints.finish(whole.to_state())
    monkeypatch.setattr("model.training.fit.make_trainer", lambda *_, **__: pytest.fail("it should not train"))
    again = fit(run_settings, data, state=checkpoints.newest())
    assert equal(again.weights, whole.weights) and (again.heads, again.settings) == (whole.heads, whole.settings)


def test_a_tracker_gets_the_epochs(faces):
    class Kept(Tracker):
        def __init__(self) -> None:
            self.results: list[EpochResult] = []

        def epoch(self, result: EpochResult) -> None:
            self.results.append(result)

    kept, run_settings = Kept(), settings(validation=0)
    outcome = fit(run_settings, datasets(faces, run_settings), tracker=kept)
    assert [result.entry for result in kept.results] == outcome.progress.history
    assert outcome.progress.best is None


def test_the_loss_weight_of_a_head_changes_the_weights_in_any_spelling(faces):
    def weights(heads: dict[str, Any]) -> dict[str, torch.Tensor]:
        run_settings = settings(target="heads", validation=0, heads=heads)
        return fit(run_settings, datasets(faces, run_settings)).weights

    heavy = weights({"age": {"loss_weight": "1e3"}})
    assert not equal(weights({}), heavy)
    assert all(equal(heavy, weights({key: {"loss-weight": 1000}})) for key in ("age", "Age", "AGE"))


def test_settings_of_heads_are_stored_by_the_attributes_own_names(faces):
    run_settings = settings(target="heads", heads={"Age": {"Loss-Weight": 2}})
    trainer = make_trainer(run_settings, datasets(faces, run_settings))
    assert trainer.settings.heads == {"age": {"loss_weight": 2.0}}
    assert trainer.criterion.loss_weights == [1.0, 1.0, 2.0]


def test_an_attribute_without_a_head_is_an_error(faces):
    run_settings = settings(target="heads", heads={"agee": {"loss_weight": 2}})
    with pytest.raises(InputError, match="no attribute 'agee'; nearest: age; expected mask, gender, age"):
        fit(run_settings, datasets(faces, run_settings))


def test_the_loss_determines_the_number_of_outputs_of_a_head(faces):
    run_settings = settings(target="heads", heads={"gender": {"loss": "bce"}})
    assert [head.outputs for head in make_trainer(run_settings, datasets(faces, run_settings)).heads.heads] == [3, 1, 3]
    run_settings = settings(target="heads", loss="bce")
    with pytest.raises(InputError, match="loss bce needs two classes; mask has 3: worn, incorrect, none"):
        fit(run_settings, datasets(faces, run_settings))


def test_an_unknown_argument_of_the_loss_is_an_error(faces):
    run_settings = settings(target="heads", heads={"age": {"loss-args": {"gama": 1}}})
    with pytest.raises(InputError, match="loss focal has no argument 'gama'; nearest: gamma"):
        fit(run_settings, datasets(faces, run_settings))


def test_settings_and_a_warning_about_correcting_the_prior_twice_are_logged(faces, caplog):
    caplog.set_level(logging.INFO, "rarebird")
    run_settings = settings(epochs=0, sampler="imbalanced", class_weights_strength=1)
    fit(run_settings, datasets(faces, run_settings))
    assert "settings that differ" in caplog.text and caplog.text.count("class imbalance, in total 2 times") == 1
    caplog.clear()
    run_settings = settings(epochs=0, sampler="imbalanced", class_weights_strength=1, loss="f1")
    fit(run_settings, datasets(faces, run_settings))
    assert "class imbalance" not in caplog.text


def test_partners_of_mixing_are_drawn_by_the_classes_of_the_batch(faces, monkeypatch):
    """With rare 1, images of the smallest class of the target are partners more often than their share."""
    counts = np.zeros((2, 3))
    loss = Criterion.forward

    def forward(self, logits, targets, partner=None, own=1.0):
        if partner is not None:
            counts[:] += [np.bincount(targets.classes[0][rows], minlength=3) for rows in (slice(None), partner)]
        return loss(self, logits, targets, partner, own)

    monkeypatch.setattr(Criterion, "forward", forward)
    run_settings = settings(target="mask", epochs=3, sampler="none", augmentation={"half_cutmix": {"rare": 1}})
    fit(run_settings, datasets(faces, run_settings))
    own, partners = counts / counts.sum(1, keepdims=True)
    assert own.max() > 0.6 and partners.max() < 0.5


def test_equal_weights_of_images_change_nothing_and_others_do(faces):
    run_settings = settings(target="heads")
    data = datasets(faces, run_settings)

    def weights(of_images: np.ndarray | None) -> dict[str, torch.Tensor]:
        return fit(run_settings, replace(data, train=replace(data.train, weights=of_images))).weights

    plain = weights(None)
    assert equal(weights(np.full(len(data.train), 4.0)), plain)
    assert not equal(weights(np.linspace(0, 1, len(data.train))), plain)


@pytest.mark.parametrize("augmentation", [{}, {"mixup": {"p": 0.5}}])
def test_a_resumed_training_with_elr_gives_the_same_weights(faces, tmp_path, augmentation):
    """From a checkpoint in the middle of the second epoch."""
    own = {"epochs": 2, "target": "heads", "loss": "elr", "augmentation": augmentation, "validation": 0}
    run_settings, checkpoints = settings(**own, checkpoint_seconds=0), Checkpoints(tmp_path)
    data, states = datasets(faces, run_settings), []
    checkpoints.save = lambda state: states.append(deepcopy(state))
    whole = fit(run_settings, data, checkpoints=checkpoints)
    state = next(state for state in states if state["epoch"] == 1 and state["batches"] == 2)
    assert all(value.any() for value in state["criterion"].values()) and len(state["criterion"]) == 3
    assert equal(fit(run_settings, data, state=state).weights, whole.weights)
    for name in state["criterion"]:
        state["criterion"][name] *= 0  # the averages make a difference
    assert not equal(fit(run_settings, data, state=state).weights, whole.weights)


def test_checkpoints_of_other_losses_have_no_state_of_the_loss(faces, tmp_path):
    run_settings, checkpoints = settings(), Checkpoints(tmp_path)
    fit(run_settings, datasets(faces, run_settings), checkpoints=checkpoints)
    assert "criterion" not in checkpoints.newest()
