"""Converting inputs to the tensors of a network's forward."""

import numpy as np
import torch

from model.images.inputs import Inputs
from model.images.preprocessing import Preprocessing
from model.network.tensors import network_tensors, normalise
from model.runtime.hardware import find_hardware

FACES = Preprocessing(64, 48, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))


def test_normalisation_is_torchvisions():
    """Reference: torchvision.transforms.v2.functional.normalize of pixels from 0 to 1."""
    from torchvision.transforms.v2.functional import normalize

    pixels = torch.randint(0, 256, (4, 3, 64, 48), dtype=torch.uint8)
    expected = normalize(pixels.float() / 255, list(FACES.mean), list(FACES.std))
    assert torch.allclose(normalise(pixels, FACES), expected, atol=1e-5)


def test_the_fill_colour_becomes_zero():
    colour = torch.tensor(FACES.fill(), dtype=torch.uint8).view(1, 3, 1, 1)
    assert normalise(colour, FACES).abs().max() < 0.02


def test_an_image_normalised_by_itself_has_mean_0_and_deviation_1():
    pixels = torch.randint(0, 256, (3, 3, 20, 20), dtype=torch.uint8)
    normal = normalise(pixels, Preprocessing(20, 20))
    assert torch.allclose(normal.mean((1, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(normal.std((1, 2, 3), correction=0), torch.ones(3), atol=1e-4)


def test_an_image_of_one_colour_stays_finite():
    assert torch.isfinite(normalise(torch.full((1, 3, 8, 8), 200, dtype=torch.uint8), Preprocessing(8, 8))).all()


def test_pixels_are_channels_last_and_normalised_and_other_arrays_are_unchanged():
    draw = np.random.default_rng(0)
    pixels, codes = draw.integers(0, 256, (4, 8, 6, 3), dtype=np.uint8), draw.integers(0, 9, (4, 2))
    preprocessing = Preprocessing(8, 6, mean=(0.5,) * 3, std=(0.25,) * 3)
    inputs = Inputs({"pixels": pixels, "codes": codes})
    tensors = network_tensors(inputs, preprocessing, find_hardware("cpu", "fp32"))
    assert tensors["pixels"].shape == (4, 3, 8, 6) and tensors["pixels"].dtype == torch.float32
    assert tensors["pixels"].is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(tensors["pixels"].permute(0, 2, 3, 1), (pixels / 255 - 0.5) / 0.25, atol=1e-5)
    assert tensors["codes"].dtype == torch.int64 and tensors["codes"].data_ptr() == codes.ctypes.data
    without = network_tensors(Inputs({"codes": codes}), preprocessing, find_hardware("cpu", "fp32"))
    assert list(without) == ["codes"]
    plain = network_tensors(inputs, preprocessing, find_hardware("cpu", "fp32", channels_last=False))
    assert plain["pixels"].is_contiguous() and torch.equal(plain["pixels"], tensors["pixels"])
