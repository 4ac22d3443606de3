"""Grad-CAM against CAM, which it equals for an average pooling and a linear classifier, and for other backbones."""

from __future__ import annotations

import pytest
import torch

from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone
from model.network.gradcam import grad_cam
from model.network.heads import Head, Heads, make_heads
from model.network.network import Network
from model.network.number_bins import NumberBins

SCHEME = mask_scheme()


def network_of(name: str, heads: Heads, size: int = 64) -> Network:
    torch.manual_seed(0)
    preprocessing = Preprocessing(height=size, width=size)
    network = Network(make_backbone(name, preprocessing), heads).eval()
    for head in network.heads:
        torch.nn.init.normal_(head[-1].weight)  # of a new head it is almost 0
    return network


def pixels(count: int = 3, size: int = 64) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_equals_cam_for_average_pooling_and_a_linear_classifier() -> None:
    heads = make_heads(SCHEME, "heads", lambda name, classes: classes)
    network, images = network_of("test_resnet", heads), pixels()
    classes = {"mask": torch.tensor([0, 1, 2]), "age": torch.tensor([2, 0, 1])}
    maps = grad_cam(network, heads, {"pixels": images}, classes)
    with torch.inference_mode():
        features = network.backbone.forward_features(images)
        weights = network.heads[0][-1].weight[classes["mask"]] + network.heads[2][-1].weight[classes["age"]]
        evidence = torch.einsum("nchw,nc->nhw", features, weights).relu()
    assert (evidence > 0).any()
    expected = evidence / evidence.amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)


def test_a_sigmoid_has_opposite_evidence_for_its_two_classes() -> None:
    heads = Heads(SCHEME.only("gender"), (Head("gender", ("gender",), 2, 1),))
    network, images = network_of("test_resnet", heads), pixels(1)
    both = [grad_cam(network, heads, {"pixels": images}, {"gender": torch.tensor([code])})[0] for code in (0, 1)]
    assert (both[0] * both[1]).max() == 0 and max(each.max() for each in both) == 1


def test_a_band_has_the_evidence_of_the_sum_over_its_bins() -> None:
    """Reference: CAM with the weights of the bins, averaged by their probabilities within the band."""
    bins = NumberBins((0.0, 15.0, 30.0, 60.0, 90.0), (30.0, 60.0), 0.5, 4.0)
    heads = make_heads(SCHEME.only("age"), "age", lambda name, classes: classes, bins={"age": bins})
    network, images = network_of("test_resnet", heads), pixels(2)
    maps = grad_cam(network, heads, {"pixels": images}, {"age": torch.tensor([0, 2])})
    with torch.inference_mode():
        features = network.backbone.forward_features(images)
        weights, shares = network.heads[0][-1].weight, network(images)[0, :2].softmax(0)
        of_bands = torch.stack([shares @ weights[:2], weights[3]])
        evidence = torch.einsum("nchw,nc->nhw", features, of_bands).relu()
    expected = evidence / evidence.amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_efficientnet", "test_mambaout", "test_coatnet"])
def test_maps_of_all_kinds_of_backbones(name: str) -> None:
    size = 160 if name == "test_vit" else 96
    heads = make_heads(SCHEME, "joint", lambda name, classes: classes)
    network = network_of(name, heads, size)
    maps = grad_cam(network, heads, {"pixels": pixels(6, size)}, {"joint": torch.arange(6)})
    assert maps.shape[0] == 6 and maps.shape[1] == maps.shape[2] > 1
    assert maps.dtype == torch.float32 and maps.min() >= 0 and maps.max() == 1


def test_evidence_is_where_the_image_differs() -> None:
    """A network whose first feature is the brightness of a cell finds the bright corner."""
    heads = make_heads(SCHEME.only("gender"), "gender", lambda name, classes: classes)
    network = network_of("test_resnet", heads)

    class Brightness(torch.nn.Module):
        num_features = 1

        def forward_features(self, images: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 16)

        def forward_head(self, features: torch.Tensor) -> torch.Tensor:
            return features.mean((2, 3))

    network.backbone = Brightness()
    network.heads = torch.nn.ModuleList([torch.nn.Sequential(torch.nn.Linear(1, 2))])
    network.heads[0][0].weight.data = torch.tensor([[-1.0], [1.0]])
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, :16, 48:] = 1
    maps = grad_cam(network, heads, {"pixels": image}, {"gender": torch.tensor([1])})
    assert maps[0, 0, 3] == 1 and maps.sum() == 1
    assert grad_cam(network, heads, {"pixels": image}, {"gender": torch.tensor([0])}).sum() == 0


def test_the_weights_keep_no_gradients_and_inference_mode_is_no_hindrance() -> None:
    heads = make_heads(SCHEME, "joint", lambda name, classes: classes)
    network = network_of("test_resnet", heads).requires_grad_(False)
    maps = grad_cam(network, heads, {"pixels": pixels(1)}, {"joint": torch.tensor([3])})
    assert maps.max() == 1 and all(parameter.grad is None for parameter in network.parameters())
