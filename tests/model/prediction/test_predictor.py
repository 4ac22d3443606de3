"""From images to probabilities. The network is a formula: its logit of a class is the mean of one colour channel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from model.attributes import Attribute
from model.data.image_dataset import Batch
from model.data.image_locations import ImageLocations
from model.decisions import Decision
from model.images.decode import UnreadableImage
from model.images.image_location import ImageLocation
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import make_heads
from model.network.number_bins import Numbers
from model.prediction.predictor import EnsemblePredictor, Predictor
from model.prediction.torch_backend import TorchBackend
from model.runtime.hardware import find_hardware

SCHEME = Scheme((Attribute("colour", ("red", "green", "blue")),))


class ChannelMeans(nn.Module):
    """float32 (N, 3): mean of each channel times scale. Counts the images that it sees."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale, self.seen = scale, 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen += len(pixels)
        return pixels.mean((2, 3)) * self.scale


def make_predictor(scale: float = 1.0, side: int = 8, views: int = 1) -> Predictor:
    pipeline = InputPipeline(Preprocessing(side, side, mean=(0.0,) * 3, std=(1.0,) * 3))
    heads = make_heads(SCHEME, "joint", lambda head, classes: classes)
    backend = TorchBackend(ChannelMeans(scale), heads, pipeline.preprocessing, find_hardware("cpu", "fp32"))
    return Predictor(backend, Views(pipeline, views), Decision())


def mean_of(answers: list) -> np.ndarray:
    return np.mean(answers, axis=0, dtype=np.float32)


@pytest.fixture
def channel(tmp_path: Path) -> tuple[Path, ImageLocations]:
    """Seven images of one colour each; the fourth cannot be read, the sixth is missing."""
    draw = np.random.default_rng(0)
    for number in range(7):
        colour = tuple(int(value) for value in draw.integers(0, 256, 3))
        Image.new("RGB", (12, 12), colour).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    (tmp_path / "5.png").unlink()
    return tmp_path, ImageLocations(ImageLocation(f"{number}.png") for number in range(7))


def expected_of(root: Path, row: int, scale: float = 1.0) -> np.ndarray:
    colour = np.array(Image.open(root / f"{row}.png"))[0, 0] / 255 * scale
    return np.exp(colour) / np.exp(colour).sum()


@pytest.mark.parametrize("batch_size", [1, 2, 64])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_channel_is_predicted_in_order_and_unreadable_images_have_a_reason(channel, batch_size, workers):
    root, locations = channel
    predictor = EnsemblePredictor([make_predictor()], SCHEME)
    batches = list(predictor.predict_channel(root, locations, batch_size, workers))
    rows = np.concatenate([batch.rows for batch in batches])
    unreadable = {row: reason for batch in batches for row, reason in batch.unreadable.items()}
    assert rows.tolist() == [0, 1, 2, 4, 6] and sorted(unreadable) == [3, 5] and "no such file" in unreadable[5]
    found = np.concatenate([batch.probabilities for batch in batches])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [expected_of(root, row) for row in rows], atol=1e-6)


def test_images_from_python_are_predicted_as_those_of_a_channel(channel):
    root, locations = channel
    predictor = EnsemblePredictor([make_predictor()], SCHEME)
    sources = [root / f"{row}.png" for row in range(7)]
    by_path = list(predictor.predict_images(sources, 4))
    by_table = list(predictor.predict_channel(root, locations, 4, 0))
    for one, other in zip(by_path, by_table, strict=True):
        assert one.rows.tolist() == other.rows.tolist() and sorted(one.unreadable) == sorted(other.unreadable)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_batch_without_a_readable_image_is_empty(channel):
    root, _ = channel
    (batch,) = EnsemblePredictor([make_predictor()], SCHEME).predict_images([root / "3.png"], 8)
    assert batch.probabilities.shape == (0, 3) and batch.rows.tolist() == [] and list(batch.unreadable) == [0]


def test_predictors_of_one_pipeline_share_their_decoding_and_each_has_its_own_pixels(channel):
    root, _ = channel
    predictors = [make_predictor(1.0), make_predictor(5.0), make_predictor(2.0, side=6)]
    ensemble = EnsemblePredictor(predictors, SCHEME, lambda answers: mean_of(list(answers)))
    assert [predictor.views.pipeline.preprocessing.height for predictor in ensemble.pipelines] == [8, 6]
    inputs = ensemble.prepare(root / "0.png")
    assert [part.arrays["pixels"].shape for part in inputs] == [(1, 8, 8, 3), (1, 6, 6, 3)]
    found, numbers = ensemble.predict_inputs([inputs, ensemble.prepare(root / "1.png")])
    assert numbers == {}
    for row in (0, 1):
        expected = np.mean([expected_of(root, row, scale) for scale in (1, 5, 2)], axis=0)
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_an_image_that_one_pipeline_cannot_read_has_no_prediction():
    large = Batch(np.array([4, 5]), Inputs({"pixels": np.zeros((2, 1, 8, 8, 3), np.uint8)}), {})
    small = Batch(np.array([5]), Inputs({"pixels": np.zeros((1, 1, 6, 6, 3), np.uint8)}), {4: "too large"})
    for parts in ((large, small), (small, large)):
        sides = [part.inputs.arrays["pixels"].shape[2] for part in parts]
        ensemble = EnsemblePredictor([make_predictor(side=side) for side in sides], SCHEME, next)
        (answers,) = ensemble._predict_batches([parts])
        assert answers.rows.tolist() == [5] and answers.unreadable == {4: "too large"}
        assert answers.probabilities.shape == (1, 3)


def test_inputs_of_a_readable_batch_reach_the_backend_without_a_copy(monkeypatch):
    """The inputs stay in page-locked memory, from which they are copied to a GPU."""
    pixels = np.zeros((2, 1, 8, 8, 3), np.uint8)
    predictor = make_predictor()
    ensemble = EnsemblePredictor([predictor], SCHEME)
    received: list[np.ndarray] = []

    def predict(inputs: Inputs) -> tuple[np.ndarray, Numbers]:
        received.append(inputs.arrays["pixels"])
        return np.zeros((len(inputs), 3), np.float32), {}

    monkeypatch.setattr(predictor.backend, "predict", predict)
    list(ensemble._predict_batches([(Batch(np.array([4, 5]), Inputs({"pixels": pixels}), {}),)]))
    assert received[0].ctypes.data == pixels.ctypes.data  # torch knows page-locked memory by its address


def test_batch_size_counts_views_whose_mean_is_predicted(channel):
    root, _ = channel
    predictor = make_predictor(views=4)
    ensemble = EnsemblePredictor([predictor], SCHEME)
    assert [ensemble.images_per_batch(size) for size in (1, 7, 8)] == [1, 1, 2]
    found = np.concatenate([batch.probabilities for batch in ensemble.predict_images([root / "0.png"] * 3, 8)])
    assert predictor.backend.network.seen == 12
    np.testing.assert_allclose(found, [expected_of(root, 0)] * 3, atol=1e-6)


def test_the_reason_of_an_unreadable_image_is_raised():
    content = io.BytesIO()
    Image.new("RGB", (64, 64)).save(content, "PNG")
    predictor = EnsemblePredictor([make_predictor()], SCHEME)
    assert predictor.prepare(content.getvalue())[0].arrays["pixels"].shape == (1, 8, 8, 3)
    with pytest.raises(UnreadableImage):
        predictor.prepare(content.getvalue()[:40])
