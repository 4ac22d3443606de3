"""The backbones of earlier systems: each is made by its name and trains for a step, from random weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from model.data.channel import read_channel
from model.data.datasets import Datasets
from model.errors import Problems
from model.network.backbone import backbone_name
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.fit import make_trainer

SIZES = {  # height and width: the smallest at which the last feature map has more than one position
    "efficientnet_b2_pruned": 64,
    "efficientnet_b4": 64,
    "seresnext26d_32x4d": 64,
    "inception_v3": 107,
    "seresnext50": 64,
    "resnet152": 64,
    "nfnet_l0": 64,
    "vit_base_patch16_224": 32,
}
LARGE = ("resnet152", "nfnet_l0", "vit_base_patch16_224")  # the most parameters


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LARGE else []) for name in SIZES]
)
def test_it_trains_a_step(name, faces: Path):
    values = {"model": name, "pretrained": False, "input_size": [SIZES[name]] * 2, "batch_size": 4, "epochs": 1}
    values |= {"num_workers": 0, "device": "cpu", "precision": "fp32", "augmentation": "flip", "target": "heads"}
    values |= {"warmup_epochs": 0, "sampler": "none"}
    settings = build(TrainSettings, [Layer("{}", values)])
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    trainer = make_trainer(settings, Datasets(table.take(range(4)), None))
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    outcome = trainer.train()
    assert outcome.progress.updates == 1 and math.isfinite(outcome.progress.history[0]["train_loss"])
    changed = [name for name, value in before.items() if not torch.equal(outcome.weights[name], value)]
    assert any(name.startswith("backbone.") for name in changed) and "heads.2.1.weight" in changed
    # everything that has a gradient changes; SE gates and gains of NFNets that start at 0 may block others
    assert len(changed) > 0.5 * len(before)


def test_names_of_other_libraries_are_timms():
    assert backbone_name("seresnext50") == backbone_name("SE-ResNeXt50") == "seresnext50_32x4d"
    assert backbone_name("inceptionv3") == "inception_v3"
