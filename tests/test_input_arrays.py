"""An input pipeline that makes a further array: it reaches the network's forward by its name, through training,
validation, prediction and test-time augmentation, and no code between the two knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.data.channel import read_channel
from model.data.datasets import Datasets
from model.data.image_dataset import ImageDataset, in_order, thread_batches
from model.data.loader import batches
from model.data.table import Table
from model.decisions import Decision
from model.errors import Problems
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.network.backbone import make_backbone
from model.network.heads import Heads, make_heads
from model.network.network import Network
from model.prediction.predictor import EnsemblePredictor, Predictor
from model.prediction.torch_backend import TorchBackend
from model.runtime.hardware import find_hardware
from model.runtime.signals import StopSignal
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints
from model.training.tracking.base import Tracker
from model.training.trainer import TrainableModel, Trainer


@dataclass(frozen=True)
class WithBrightness(InputPipeline):
    """Adds `brightness` float32 (views, 1), the mean of each view's pixels from 0 to 1."""

    def inputs(self, pixels: Sequence[NDArray[np.uint8]]) -> Inputs:
        brightness = np.array([[view.mean() / 255] for view in pixels], np.float32)
        return Inputs({**super().inputs(pixels).arrays, "brightness": brightness})


class TwoInputs(Network):
    """Its answer depends on both inputs. Records them: pixels and brightness by forward pass."""

    def __init__(self, pipeline: InputPipeline, heads: Heads):
        super().__init__(make_backbone("test_resnet", pipeline.preprocessing), heads)
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, pixels: torch.Tensor, brightness: torch.Tensor) -> torch.Tensor:
        self.seen.append((pixels.detach().clone(), brightness.clone()))
        return super().forward(pixels) + 10 * brightness.pow(2)

    def pairs(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mean of the pixels of each image that it has seen, and its brightness."""
        pixels, brightness = (torch.cat(tensors) for tensors in zip(*self.seen, strict=True))
        self.seen.clear()
        assert brightness.shape == (len(pixels), 1) and brightness.dtype == torch.float32
        return pixels.mean((1, 2, 3)).numpy(), brightness[:, 0].numpy()


PIPELINE = WithBrightness(Preprocessing(32, 24, mean=(0.0,) * 3, std=(1.0,) * 3))  # normalised pixels are from 0 to 1


@pytest.fixture
def table(faces: Path) -> Table:
    """24 images."""
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    return table.take(range(24))


@pytest.fixture
def network(table: Table) -> TwoInputs:
    torch.manual_seed(0)
    return TwoInputs(PIPELINE, make_heads(table.scheme, "joint", lambda head, classes: classes))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("load", [batches, thread_batches])
def test_loaders_hand_on_every_array(table, load, workers):
    images = ImageDataset(table.root, table.locations, Views(PIPELINE, 3))
    for batch in load(images, in_order(24, 10), workers):
        pixels, brightness = batch.inputs.arrays["pixels"], batch.inputs.arrays["brightness"]
        assert list(batch.inputs.arrays) == ["pixels", "brightness"]
        assert pixels.shape == (len(batch.rows), 3, 32, 24, 3) and brightness.shape == (len(batch.rows), 3, 1)
        np.testing.assert_allclose(brightness[..., 0], pixels.mean((2, 3, 4)) / 255, rtol=1e-5)


@pytest.mark.parametrize(("workers", "mixed"), [(0, False), (2, False), (0, True)])
def test_training_and_validation_hand_on_every_array(table, network, tmp_path, workers, mixed):
    told = {"model": "test_resnet", "pretrained": False, "batch_size": 8, "epochs": 1, "num_workers": workers}
    told["augmentation"] = {"flip": {}, "random_resized_crop": {}, **({"mixup": {"alpha": 5.0}} if mixed else {})}
    settings = build(TrainSettings, [Layer("{}", told)])
    heads = make_heads(table.scheme, "joint", lambda head, classes: classes)
    datasets = Datasets(table.take(range(16)), table.take(range(16, 24)))
    model, hardware = TrainableModel(network, heads, PIPELINE, Decision()), find_hardware("cpu", "fp32")
    Trainer(settings, datasets, model, hardware, Checkpoints(tmp_path), StopSignal(), Tracker()).train()
    assert [len(pixels) for pixels, _ in network.seen] == [8, 8, 8]
    pixels, brightness = network.pairs()
    # mixing changes the pixels of training alone; the brightness stays that of each image
    np.testing.assert_allclose(pixels[16:], brightness[16:], rtol=1e-4)
    assert np.allclose(pixels[:16], brightness[:16], rtol=1e-4) != mixed
    assert np.isclose(pixels[:16].mean(), brightness[:16].mean(), rtol=0.05)


@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize("workers", [0, 2])
def test_prediction_hands_on_every_array(table, network, views, workers):
    heads = make_heads(table.scheme, "joint", lambda head, classes: classes)
    backend = TorchBackend(network, heads, PIPELINE.preprocessing, find_hardware("cpu", "fp32"))
    one = Predictor(backend, Views(PIPELINE, views), Decision())
    predictor = EnsemblePredictor([one], heads.scheme)
    found = list(predictor.predict_channel(table.root, table.locations, 8 * views, workers))
    by_channel = network.pairs()
    np.testing.assert_allclose(*by_channel, rtol=1e-4)
    assert len(by_channel[0]) == 24 * views and np.ptp(by_channel[1]) > 0.05
    sources = [table.root / path for path in table.locations.paths]
    again = list(predictor.predict_images(sources, 8 * views))
    np.testing.assert_array_equal(network.pairs()[1], by_channel[1])
    for one_batch, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one_batch.probabilities, other.probabilities)
