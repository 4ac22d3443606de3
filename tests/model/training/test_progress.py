from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from model.decisions import Decision
from model.errors import Failure
from model.images.pipeline import InputPipeline
from model.labels import mask_scheme
from model.network.backbone import make_preprocessing
from model.network.heads import make_heads
from model.settings.train import TrainSettings
from model.training.progress import Best, Outcome, Progress

METRICS = {"loss": 0.5, "f1": 0.4, "per_class": {"f1": [0.4, 0.4]}, "intervals": {"f1": [0.3, 0.5]}}


def progress(best: bool = True) -> Progress:
    weights = Best(2, 0.4, METRICS, {"w": torch.ones(2)}) if best else None
    return Progress(2, 3, 11, 1.5, 0.01, 1, 60.0, [{"epoch": 1}, {"epoch": 2}], weights)


def test_progress_is_restored_from_a_file(tmp_path):
    for before in (progress(), progress(best=False)):
        torch.save(before.to_state(), tmp_path / "state.pt")
        after = Progress.from_state(torch.load(tmp_path / "state.pt", weights_only=True))
        assert repr(after) == repr(before)


def test_a_saved_outcome_contains_the_best_weights_once():
    heads = make_heads(mask_scheme(), "joint", lambda head, classes: classes)
    parts = (TrainSettings(), heads, InputPipeline(make_preprocessing(TrainSettings())), Decision(1.5, (0.1, 0.2)))
    outcome = Outcome(*parts, {"w": torch.zeros(3)}, progress())
    state = outcome.to_state()
    assert state["best"]["weights"] == {} and outcome.progress.best.weights  # the outcome itself keeps them
    after = Outcome.from_state(state, *parts)
    assert (after.settings, after.heads, after.pipeline, after.decision) == parts
    assert torch.equal(after.weights["w"], torch.zeros(3)) and after.stopped_by is None
    assert after.progress.best.metrics == METRICS and after.progress.history == outcome.progress.history


def validated(loss: float, f1: float) -> Any:
    return SimpleNamespace(loss=loss, metrics={"loss": loss, "f1": f1}, intervals=lambda: {"f1": [f1, f1]})


@pytest.mark.parametrize("best_criterion", ["f1", "loss"])
def test_the_best_weights_are_those_of_the_best_score(best_criterion):
    network, kept = torch.nn.Linear(1, 1), Progress()
    for epoch, (loss, f1) in enumerate([(0.9, 0.3), (0.7, 0.5), (0.8, 0.4), (0.7, 0.5)]):
        torch.nn.init.constant_(network.weight, epoch)
        kept.epoch = epoch
        assert kept.keep_best(validated(loss, f1), best_criterion, network) == (epoch < 2)
    assert kept.stale == 2 and kept.best.epoch == 2 and kept.best.weights["weight"].item() == 1
    assert kept.best.metrics == {"loss": 0.7, "f1": 0.5, "intervals": {"f1": [0.5, 0.5]}}
    assert kept.best.score == (0.5 if best_criterion == "f1" else -0.7)
    with pytest.raises(Failure, match=r"validation loss is not finite after epoch 4, step 0, learning rate 0: try"):
        kept.keep_best(validated(float("nan"), 0.9), best_criterion, network)
