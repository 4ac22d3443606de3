"""The network: shapes, hidden layers and dropout."""

import pytest
import torch

from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone
from model.network.heads import make_heads
from model.network.network import Network

HEADS = make_heads(mask_scheme(), "heads", lambda head, classes: classes)


@pytest.mark.parametrize("model", ["resnet10t", "mobilenetv3_small_050", "vit_tiny_patch16_224", "convnext_atto"])
def test_any_backbone_gives_one_logit_per_output(model):
    network = Network(make_backbone(model, Preprocessing(64, 32)), HEADS)
    assert network(torch.randn(2, 3, 64, 32)).shape == (2, 8)


def test_features_of_the_backbone_give_the_logits_of_the_image():
    network = Network(make_backbone("resnet10t", Preprocessing(32, 24)), HEADS).eval()
    pixels = torch.randn(3, 3, 32, 24)
    torch.testing.assert_close(network(features=network.backbone(pixels)), network(pixels), rtol=0, atol=0)


def test_hidden_layers_grey_images_and_dropout():
    backbone = make_backbone("resnet10t", Preprocessing(32, 24, channels=1))
    network = Network(backbone, HEADS, hidden_layers=[32, 16], dropout=0.5)
    assert network(torch.randn(2, 1, 32, 24)).shape == (2, 8)
    widths = [layer.out_features for layer in network.heads[0] if isinstance(layer, torch.nn.Linear)]
    assert widths == [32, 16, 3]
    assert any(isinstance(layer, torch.nn.Dropout) and layer.p == 0.5 for layer in network.heads[0])
