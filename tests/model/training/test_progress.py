from __future__ import annotations

import torch

from model.decisions import Decision
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
