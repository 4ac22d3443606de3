"""Models, ensembles and checkpoints of earlier versions are loaded, resumed and predict as in that version.

earlier_versions/VERSION/ was written by that version: `channel` and `config.yaml` are the input; `one` (12 epochs) and
`many` (--target separate --folds 2) are runs; `checkpoints/one` is a checkpoint of `one` in the middle of epoch 8;
`answers` are the predictions of both by inference.py --num_tta 2 in fp32.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from timm.models import generate_default_cfgs, register_model
from torch import nn

import inference
import train

VERSIONS = sorted(folder.name for folder in (Path(__file__).parent / "earlier_versions").iterdir())
ONE = ["--config", "config.yaml", "--train_dir", "channel", "--model_dir", "../runs", "--name", "one"]
ONE += ["--model", "rarebird_tiny", "--pretrained", "false", "--input_size", "12", "16", "--batch_size", "4"]
ONE += ["--num_workers", "0", "--device", "cpu", "--precision", "fp32", "--tracking", "none", "--lr", "0.05"]
ONE += ["--epochs", "12", "--validation", "0.3", "--ema", "0.9", "--dropout", "0.1"]
ONE += ["--augmentation", '["flip", "mixup"]']


class Tiny(nn.Module):
    """A backbone with about 400 weights, so that the files of runs are small."""

    num_features = 8

    def __init__(self, in_chans: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_chans, 4, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images).mean((2, 3))


default_cfgs = generate_default_cfgs(
    {"rarebird_tiny": {"input_size": (3, 12, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}}
)
__all__ = ["rarebird_tiny"]


@register_model
def rarebird_tiny(pretrained: bool = False, num_classes: int = 0, in_chans: int = 3, **_: Any) -> Tiny:
    return Tiny(in_chans)


@pytest.fixture(params=VERSIONS)
def earlier(request, tmp_path, monkeypatch) -> Path:
    """A copy of a version's files as the working folder."""
    folder = tmp_path / request.param
    shutil.copytree(Path(__file__).parent / "earlier_versions" / request.param, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", ["one", "many"])
def test_a_saved_model_and_an_ensemble_of_an_earlier_version_predict_identically(earlier, name):
    where = ["--eval_dir", "channel", "--model_dir", name, "--output_data_dir", "new", "--num_tta", "2"]
    assert inference.main([*where, "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv("new/output.csv"), pd.read_csv(f"answers/{name}/output.csv"))
    expected = pd.read_csv(f"answers/{name}/probabilities.csv")
    # The last digits differ between processors; a change of the arithmetic shows in the first four.
    pd.testing.assert_frame_equal(pd.read_csv("new/probabilities.csv"), expected, rtol=0, atol=1e-6)


def test_a_checkpoint_resumes_to_the_weights_of_the_earlier_run(earlier, caplog):
    caplog.set_level("INFO", "rarebird")
    shutil.copytree("checkpoints", "../runs/.checkpoints")
    assert train.main(ONE) == 0
    assert "resumed epoch=8 step=1" in caplog.text
    expected, weights = load_file("one/model.safetensors"), load_file("../runs/one/model.safetensors")
    assert weights.keys() == expected.keys()
    for parameter in expected:
        torch.testing.assert_close(weights[parameter], expected[parameter], rtol=0, atol=1e-5)
    # the saved weights are those of the best epoch; the history also has the epochs after the checkpoint
    histories = [json.loads(Path(folder, "metrics.json").read_text())["history"] for folder in ("one", "../runs/one")]
    for before, after in zip(*histories, strict=True):
        del before["pictures_per_second"], after["pictures_per_second"]
        assert after == pytest.approx(before, abs=1e-5)
