"""Attention pooling, against its formula and against the average that it starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone, make_preprocessing
from model.network.gradcam import grad_cam
from model.network.heads import make_heads
from model.network.network import Network
from model.network.pooling import AttentionPooling, make_pooling
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.weights.initial_weights import load_backbone, make_network

HEADS = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
LAYOUTS = {"first": (0, 3, 1, 2), "last": (0, 1, 2, 3)}  # of maps (N, height, width, features)


def settings_of(model: str, size: int = 64, **values: object) -> TrainSettings:
    small = {"model": model, "pretrained": False, "input_size": [size, size], "pooling": "attention"}
    return build(TrainSettings, [Layer("--{}", {**small, **values})])


def network_of(model: str, size: int = 64, **values: object) -> Network:
    settings = settings_of(model, size, **values)
    return make_network(settings, HEADS, make_preprocessing(settings)).eval()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def filled(pooling: nn.Module) -> nn.Module:
    nn.init.normal_(pooling.score.weight)
    return pooling


@pytest.mark.parametrize("layout", ["first", "last", "tokens"])
def test_the_formula(layout):
    pooling = filled(AttentionPooling(6, 2 if layout == "tokens" else 0))
    maps = torch.randn(2, 3, 5, 6)
    given = (
        maps.permute(LAYOUTS[layout]) if layout in LAYOUTS else torch.cat([torch.randn(2, 2, 6), maps.flatten(1, 2)], 1)
    )
    found = pooling(given).detach()
    v, b = (value.detach().double().numpy() for value in (pooling.hidden.weight, pooling.hidden.bias))
    w = pooling.score.weight.detach().double().numpy()[0]
    for image, result in zip(maps.double().numpy(), found):
        positions = image.reshape(-1, 6)
        powers = np.array([np.exp(w @ np.tanh(v @ position + b)) for position in positions])
        expected = sum(power * position for power, position in zip(powers, positions)) / powers.sum()
        for one in result.reshape(-1, 6) if layout == "tokens" else [result.flatten()]:
            np.testing.assert_allclose(one.numpy(), expected, rtol=1e-4, atol=1e-5)
    shapes = {"first": (2, 6, 1, 1), "last": (2, 1, 1, 6), "tokens": (2, 3, 6)}
    assert found.shape == shapes[layout]


@pytest.mark.parametrize(
    "model", ["test_resnet", "mobilenetv3_small_050", "test_convnext", "tf_efficientnet_lite0", "regnetx_002"]
)
def test_it_starts_as_the_average_of_a_convolutional_network(model):
    network = network_of(model)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network.features(pixels), network.backbone(pixels), rtol=1e-4, atol=1e-5)
        filled(network.pooling)
        assert not torch.allclose(network.features(pixels), network.backbone(pixels), atol=1e-4)


@pytest.mark.parametrize("values", [{}, {"model_args": {"global_pool": "avg"}}])
def test_it_starts_as_the_average_of_the_patches_of_a_vision_transformer(values):
    network = network_of("test_vit", **values)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        tokens = network.backbone.forward_features(pixels)
        expected = network.backbone.fc_norm(tokens[:, 1:].mean(dim=1))
        torch.testing.assert_close(network.features(pixels), expected)


def test_every_part_of_it_is_trained_and_grad_cam_uses_it():
    network = network_of("test_resnet")
    filled(network.pooling)
    network.train()
    network(torch.randn(4, 3, 64, 64)).pow(2).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.pooling.parameters())
    pixels, classes = torch.randn(12, 3, 96, 96), {"age": torch.arange(12) % 3}
    network.eval()
    with_attention = grad_cam(network, HEADS, {"pixels": pixels}, classes)
    network.pooling = None
    assert with_attention.any()
    assert not torch.allclose(with_attention, grad_cam(network, HEADS, {"pixels": pixels}, classes))


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_saved_weights_are_loaded_with_it_without_it_and_into_a_backbone(model, tmp_path: Path):
    before = network_of(model)
    filled(before.pooling)
    save_file(before.state_dict(), tmp_path / "w.safetensors")
    path = str(tmp_path / "w.safetensors")
    # also where timm has to convert the position embeddings
    for size in (64, 96):
        after = network_of(model, size, weights=path)
        assert torch.equal(after.pooling.score.weight, before.pooling.score.weight)
    with pytest.raises(InputError, match=r"not in the network .*pooling"):
        network_of(model, weights=path, pooling="default")
    backbone = make_backbone(model, Preprocessing(64, 64))
    load_backbone(backbone, Path(path), settings_of(model), Preprocessing(64, 64))
    assert all(torch.equal(value, before.backbone.state_dict()[name]) for name, value in backbone.state_dict().items())
    save_file(network_of(model, pooling="default").state_dict(), path)
    assert not network_of(model, weights=path).pooling.score.weight.any()


def test_a_backbone_without_a_map_is_an_error():
    class Flat(nn.Module):
        num_features = 4

        def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.flatten(1)[:, :4]

        def forward_head(self, features: torch.Tensor) -> torch.Tensor:
            return features + 0

    with pytest.raises(InputError, match="pooling attention: the backbone 'test_resnet' has no feature map"):
        make_pooling(settings_of("test_resnet"), Flat(), Preprocessing(8, 8))
