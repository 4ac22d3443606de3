"""The table of single images in a terminal. The network is a formula, as in test_predictor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from model.attributes import Attribute
from model.data.prediction_input import single_files
from model.decisions import Decision
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import make_heads
from model.prediction.predictor import EnsemblePredictor, Predictor
from model.prediction.single_images import predicted_table
from model.prediction.torch_backend import TorchBackend
from model.runtime.hardware import find_hardware

SCHEME = Scheme((Attribute("colour", ("red", "green", "blue")),))
PURE = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ChannelMeans(nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean((2, 3)) * 5


@pytest.fixture
def predictor() -> EnsemblePredictor:
    pipeline = InputPipeline(Preprocessing(8, 8, mean=(0.0,) * 3, std=(1.0,) * 3))
    heads = make_heads(SCHEME, "joint", lambda head, classes: classes)
    backend = TorchBackend(ChannelMeans(), heads, pipeline.preprocessing, find_hardware("cpu", "fp32"))
    return EnsemblePredictor([Predictor(backend, Views(pipeline, 1), Decision())], SCHEME)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_rows_are_in_the_order_of_the_images_and_reasons_are_below_the_table(predictor, tmp_path: Path, batch_size):
    files = []
    for name, colour in PURE.items():
        files.append(str(tmp_path / f"{name}.png"))
        Image.new("RGB", (9, 9), colour).save(files[-1])
    files.insert(1, str(tmp_path / "bad.png"))
    Path(files[1]).write_bytes(b"no image")
    text, unreadable = predicted_table(predictor, SCHEME, single_files(files), batch_size, 0)
    table, reasons = text.split("\n\n")
    rows = [line.split() for line in table.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        [files[0], "red"],
        [files[1], "(unreadable)"],
        [files[2], "green"],
        [files[3], "blue"],
    ]
    assert rows[0][2] == "98.7%"  # e^5 / (e^5 + 2)
    assert unreadable == 1 and reasons == f"unreadable:\n{files[1]}: cannot be identified as an image"


def test_without_an_unreadable_image_there_is_only_the_table(predictor, tmp_path: Path):
    Image.new("RGB", (9, 9), PURE["blue"]).save(tmp_path / "b.png")
    text, unreadable = predicted_table(predictor, SCHEME, single_files([str(tmp_path / "b.png")]), 4, 0)
    assert unreadable == 0 and len(text.splitlines()) == 3
