"""Training dynamics against numpy over recorded probabilities."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from model.attributes import MISSING
from model.data.channel import read_channel
from model.data.datasets import make_datasets
from model.data.table import Table
from model.errors import InputError, Problems
from model.labels import Scheme
from model.network.heads import make_heads
from model.runtime import distributed
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.checkpoints import DYNAMICS, Checkpoints
from model.training.early_checks import check_early
from model.training.fit import fit
from model.training.targets import Targets
from model.training.training_dynamics import TrainingDynamics

SMALL = {"model": "test_resnet", "pretrained": False, "input_size": [32, 24], "batch_size": 32, "num_workers": 0}
SMALL |= {"device": "cpu", "precision": "fp32", "validation": 0, "training_dynamics": True}


@pytest.fixture(scope="module")
def table(faces) -> Table:
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table


@pytest.fixture(scope="module")
def gaps(table) -> Table:
    attributes = tuple(replace(a, optional=a.name == "age") for a in table.scheme.attributes)
    labels = table.labels.copy()
    labels.loc[labels.index % 3 == 0, "age"] = MISSING
    return replace(table, scheme=Scheme(attributes), labels=labels).take(np.arange(20))


def test_moments_over_epochs(gaps):
    """Three epochs; gender has one logit; images are drawn twice, once or never in an epoch."""
    heads = make_heads(gaps.scheme, "heads", lambda head, classes: 1 if head == "gender" else classes)
    dynamics, targets = TrainingDynamics(heads, gaps), Targets.of(heads, gaps)
    generator = torch.Generator().manual_seed(0)
    values: dict[tuple[str, int], list[float]] = {}
    for rows in ([0, 1, 2, 1, 6], [0, 2, 9, 9, 9], [0, 1, 2, 3, 4]):
        batch, logits = targets.take(torch.tensor(rows)), torch.randn(5, heads.outputs, generator=generator) * 2
        dynamics.record(logits, batch)
        dynamics.record(logits * 9, batch, is_mixed=True)
        dynamics.end_epoch()
        drawn: dict[tuple[str, int], list[float]] = {}
        for head, part, classes in zip(heads.heads, heads.split(logits.numpy()), batch.classes):
            p = np.exp(head.log_probabilities(part))
            for position, (row, own) in enumerate(zip(rows, classes.tolist())):
                if own >= 0:
                    drawn.setdefault((head.name, row), []).append(p[position, own])
        for key, own in drawn.items():
            values.setdefault(key, []).append(float(np.mean(own)))
    frame = dynamics.frame()
    assert frame.columns.tolist() == ["image", "group", "attribute", "label", "mean", "std", "epochs"]
    paths = {path: row for row, path in enumerate(gaps.locations.paths)}
    assert len(frame) == 20 + 20 + (gaps.labels["age"] >= 0).sum()
    for line in frame.itertuples():
        row = paths[line.image]
        own = values.get((line.attribute, row), [])
        assert line.epochs == len(own) and line.group == gaps.groups[row]
        attribute = gaps.scheme.attribute(line.attribute)
        assert line.label == attribute.values[gaps.labels[line.attribute][row]]
        if own:
            assert (line.mean, line.std) == (pytest.approx(np.mean(own)), pytest.approx(np.std(own), abs=1e-7))
        else:
            assert np.isnan(line.mean) and np.isnan(line.std)


def test_processes_have_the_records_of_all(gaps, monkeypatch):
    heads = make_heads(gaps.scheme, "heads", lambda head, classes: classes)
    targets, logits = Targets.of(heads, gaps), torch.randn(20, heads.outputs)
    whole, part = TrainingDynamics(heads, gaps), TrainingDynamics(heads, gaps)
    whole.record(logits, targets)
    joined = []
    monkeypatch.setattr(distributed, "gather_rows", lambda values: joined.append(values) or values)
    part.record(logits[10:], targets.take(torch.arange(10, 20)))
    others = iter(joined[:])
    monkeypatch.setattr(distributed, "gather_rows", lambda values: torch.cat([values, next(others)]))
    both = TrainingDynamics(heads, gaps)
    both.record(logits[:10], targets.take(torch.arange(10)))
    assert torch.equal(both.sums, whole.sums) and torch.equal(both.draws, whole.draws)


@pytest.mark.parametrize("target", ["joint", "heads"])
def test_it_changes_no_weights_and_a_resumed_run_has_the_same_records(table, tmp_path, target):
    own = {**SMALL, "target": target, "epochs": 2, "checkpoint_seconds": 0, "augmentation": {"mixup": {"p": 0.3}}}
    settings = build(TrainSettings, [Layer("{}", own)])
    datasets, checkpoints, states = make_datasets(settings, table, None), Checkpoints(tmp_path), []
    checkpoints.save = lambda state: states.append(deepcopy(state))
    whole = fit(settings, datasets, checkpoints=checkpoints)
    plain = fit(replace(settings, training_dynamics=False), datasets)
    assert all(torch.equal(value, plain.weights[name]) for name, value in whole.weights.items())
    assert plain.dynamics is None and whole.dynamics is not None
    assert whole.dynamics["epochs"].max() == 2 and whole.dynamics["mean"].between(0, 1).any()
    state = next(state for state in states if state["epoch"] == 1 and state["batches"] == 2)
    assert state[DYNAMICS]["epochs"].any()
    pd.testing.assert_frame_equal(fit(settings, datasets, state=deepcopy(state)).dynamics, whole.dynamics)
    del state[DYNAMICS]  # a checkpoint of a run without it
    assert fit(settings, datasets, state=state).dynamics["epochs"].max() == 1


def test_the_file_is_beside_the_split_and_has_the_training_images(faces, run_train):
    run = run_train(faces / "train", "--training_dynamics", "true", "--target", "gender")
    frame, split = pd.read_csv(run / "training_dynamics.csv"), pd.read_csv(run / "split.csv")
    train = split[split["side"] == "train"]
    assert frame["image"].tolist() == train["path"].tolist() and frame["label"].tolist() == train["gender"].tolist()
    assert set(frame["attribute"]) == {"gender"}


def test_mixing_every_batch_is_an_error():
    settings = build(TrainSettings, [Layer("{}", {**SMALL, "augmentation": {"cutmix": {}}})])
    with pytest.raises(InputError, match="training_dynamics records images that are not mixed, but cutmix mixes every"):
        check_early(settings)
    check_early(replace(settings, augmentation={"cutmix": {"p": 0.5}}))
    check_early(replace(settings, training_dynamics=False))
