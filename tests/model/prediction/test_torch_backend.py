"""The torch backend: weights that fit or do not, logits and probabilities, memory."""

import os
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from model.artifacts.saved_model import load_model
from model.errors import InputError
from model.images.inputs import PIXELS, Inputs
from model.network.gradcam import grad_cam
from model.network.tensors import network_tensors
from model.prediction.torch_backend import TorchBackend, load_network

INPUTS = Inputs({PIXELS: np.random.default_rng(0).integers(0, 256, (3, 32, 24, 3), np.uint8)})


def test_the_network_has_the_saved_weights(models):
    network, weights = load_network(load_model(models / "a")), load_file(models / "a" / "model.safetensors")
    assert not network.training and network.state_dict().keys() == weights.keys()
    for name, value in network.state_dict().items():
        assert torch.equal(value, weights[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("test_resnet", "test_resnex"), "nearest: test_resnet"),
        (lambda text: text.replace("test_resnet", "resnet18"), "the weights do not fit"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_reported(models, tmp_path, change, message):
    shutil.copytree(models / "a", tmp_path / "exp")
    path = tmp_path / "exp" / "settings.yaml"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        TorchBackend.load(load_model(tmp_path / "exp"), "cpu", "fp32")


def test_truncated_weights_are_reported(models, tmp_path):
    shutil.copytree(models / "a", tmp_path / "exp")
    os.truncate(tmp_path / "exp" / "model.safetensors", 5000)
    with pytest.raises(InputError, match=r"model\.safetensors: unreadable"):
        TorchBackend.load(load_model(tmp_path / "exp"), "cpu", "fp32")


def test_probabilities_are_those_of_the_logits(models):
    backend = TorchBackend.load(load_model(models / "a"), "cpu", "fp32")
    logits, probabilities = backend.logits(INPUTS), backend.probabilities(INPUTS)
    assert logits.dtype == probabilities.dtype == np.float32 and logits.shape == probabilities.shape == (3, 18)
    np.testing.assert_allclose(probabilities, backend.heads.probabilities(logits), rtol=1e-5)
    pixels = torch.from_numpy(INPUTS.arrays[PIXELS]).permute(0, 3, 1, 2) / 255
    preprocessing = backend.preprocessing
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    with torch.inference_mode():
        expected = load_network(load_model(models / "a"))((pixels - mean) / std)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_running_out_of_device_memory_is_a_memory_error(models, monkeypatch):
    class Large(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("tried to allocate 9 GiB")

    backend = TorchBackend.load(load_model(models / "a"), "cpu", "fp32")
    backend.network = Large()
    for call in (backend.logits, backend.probabilities):
        with pytest.raises(MemoryError, match="9 GiB"):
            call(INPUTS)


def test_threads_are_limited_and_not_raised(models):
    backend, before = TorchBackend.load(load_model(models / "a"), "cpu", "fp32"), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        backend.limit_threads(3)
        assert torch.get_num_threads() == 2
        backend.limit_threads(1)
        assert torch.get_num_threads() == 1 and str(backend) == "CPU, 1 thread, fp32"
    finally:
        torch.set_num_threads(before)


def test_released_memory_holds_no_network(models):
    backend = TorchBackend.load(load_model(models / "a"), "cpu", "fp32")
    backend.release_memory()
    assert backend.network is None


def test_evidence_is_the_grad_cam_of_the_network(models):
    backend = TorchBackend.load(load_model(models / "a"), "cpu", "fp32")
    classes = {head.name: np.arange(3) % head.classes for head in backend.heads.heads}
    evidence = backend.evidence(INPUTS, classes)
    tensors = network_tensors(INPUTS, backend.preprocessing, backend.hardware)
    codes = {name: torch.from_numpy(own) for name, own in classes.items()}
    expected = grad_cam(load_network(load_model(models / "a")), backend.heads, tensors, codes)
    np.testing.assert_allclose(evidence, expected, atol=1e-5)
    assert evidence.max() == 1
