"""fit without a job around it: no folders, signals or trackers."""

from __future__ import annotations

import json
import logging
import signal
from pathlib import Path
from typing import Any

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
    made = settings(target="heads", ema=0.9)
    before = signal.getsignal(signal.SIGTERM), sorted(tmp_path.iterdir()), sorted(Path().iterdir())
    outcome = fit(made, datasets(faces, made))
    assert (signal.getsignal(signal.SIGTERM), sorted(tmp_path.iterdir()), sorted(Path().iterdir())) == before
    run = run_train(faces / "train", "--target", "heads", "--ema", "0.9")
    assert equal(outcome.weights, load_file(run / "model.safetensors"))
    job = json.loads((run / "metrics.json").read_text())
    assert outcome.progress.best is not None and outcome.progress.best.metrics == job["validation"]
    assert outcome.stopped_by is None and outcome.progress.epoch == job["epochs"] and outcome.progress.seconds > 0
    saved = load_model(run)
    assert (outcome.heads, outcome.pipeline) == (saved.heads, saved.pipeline)


def test_an_outcome_holds_what_a_saved_model_needs(faces, tmp_path):
    made = settings(target="gender", epochs=0, decision_args={"biases": [0, 0.5]})
    data = datasets(faces, made)
    channel = read_channel(faces / "train", Problems(""))
    outcome = fit(made, data, channel=channel.scheme)
    assert outcome.heads.channel == channel.scheme
    metrics = {"finished": True, "epoch": 0, "epochs": 0, "validation": None, "history": [], "data": data.summary()}
    metrics |= {"seconds": 0.0, "hardware": "CPU", "versions": {}}
    weights, decision = {name: value.numpy() for name, value in outcome.weights.items()}, outcome.decision
    save_model(tmp_path / "m", weights, outcome.settings, outcome.heads, outcome.pipeline, metrics, decision)
    saved = load_model(tmp_path / "m")
    assert (saved.settings, saved.heads, saved.pipeline) == (made, outcome.heads, outcome.pipeline)
    assert saved.decision == decision == Decision(biases=(0.0, 0.5))


def test_it_resumes_and_gives_a_finished_run_back(faces, tmp_path, monkeypatch):
    made, checkpoints = settings(epochs=2), Checkpoints(tmp_path)
    data = datasets(faces, made)
    whole = fit(made, data, checkpoints=checkpoints)
    state = torch.load(checkpoints.files()[0], weights_only=True)
    assert state["epoch"] == 1
    assert equal(fit(made, data, state=state).weights, whole.weights)
    checkpoints.finish(whole.to_state())
    monkeypatch.setattr("model.training.fit.make_trainer", lambda *_, **__: pytest.fail("it should not train"))
    again = fit(made, data, state=checkpoints.newest())
    assert equal(again.weights, whole.weights) and (again.heads, again.settings) == (whole.heads, whole.settings)


def test_a_tracker_gets_the_epochs(faces):
    class Kept(Tracker):
        def __init__(self) -> None:
            self.results: list[EpochResult] = []

        def epoch(self, result: EpochResult) -> None:
            self.results.append(result)

    kept, made = Kept(), settings(validation=0)
    outcome = fit(made, datasets(faces, made), tracker=kept)
    assert [result.entry for result in kept.results] == outcome.progress.history
    assert outcome.progress.best is None


def test_a_heads_own_loss_weight_changes_what_is_learnt_in_any_spelling(faces):
    def weights(heads: dict[str, Any]) -> dict[str, torch.Tensor]:
        made = settings(target="heads", validation=0, heads=heads)
        return fit(made, datasets(faces, made)).weights

    heavy = weights({"age": {"loss_weight": "1e3"}})
    assert not equal(weights({}), heavy)
    assert all(equal(heavy, weights({key: {"loss-weight": 1000}})) for key in ("age", "Age", "AGE"))


def test_heads_are_kept_under_the_attributes_own_names(faces):
    made = settings(target="heads", heads={"Age": {"Loss-Weight": 2}})
    trainer = make_trainer(made, datasets(faces, made))
    assert trainer.settings.heads == {"age": {"loss_weight": 2.0}}
    assert trainer.criterion.loss_weights == [1.0, 1.0, 2.0]


def test_an_attribute_without_a_head_is_an_error(faces):
    made = settings(target="heads", heads={"agee": {"loss_weight": 2}})
    with pytest.raises(InputError, match="no attribute 'agee'; nearest: age; expected mask, gender, age"):
        fit(made, datasets(faces, made))


def test_the_loss_says_how_many_outputs_a_head_has(faces):
    made = settings(target="heads", heads={"gender": {"loss": "bce"}})
    assert [head.outputs for head in make_trainer(made, datasets(faces, made)).heads.heads] == [3, 1, 3]
    made = settings(target="heads", loss="bce")
    with pytest.raises(InputError, match="loss bce needs two classes; mask has 3: worn, incorrect, none"):
        fit(made, datasets(faces, made))


def test_an_argument_that_the_loss_does_not_take_is_told(faces):
    made = settings(target="heads", heads={"age": {"loss-args": {"gama": 1}}})
    with pytest.raises(InputError, match="loss focal has no argument 'gama'; nearest: gamma"):
        fit(made, datasets(faces, made))


def test_settings_and_what_corrects_the_prior_twice_are_logged(faces, caplog):
    caplog.set_level(logging.INFO, "rarebird")
    made = settings(epochs=0, sampler="imbalanced", class_weights_strength=1)
    fit(made, datasets(faces, made))
    assert "settings that differ" in caplog.text and caplog.text.count("correct the class prior 2 times") == 1
    caplog.clear()
    made = settings(epochs=0, sampler="imbalanced", class_weights_strength=1, loss="f1")
    fit(made, datasets(faces, made))
    assert "correct the class prior" not in caplog.text
