"""Parameters that are not trained, and batch norms with fixed statistics."""

import pytest
import torch

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone
from model.network.freezing import fix_norm, freeze, unfreeze
from model.network.heads import make_heads
from model.network.network import Network


@pytest.fixture
def network() -> Network:
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
    return Network(make_backbone("resnet10t", Preprocessing(32, 24)), heads)


def test_freezing_and_thawing(network):
    freeze(network, ["conv1", "layer1"])
    still = {
        name.split(".")[0] for name, parameter in network.backbone.named_parameters() if not parameter.requires_grad
    }
    assert still == {"conv1", "layer1"}
    freeze(network, ["backbone"])
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    assert all(parameter.requires_grad for parameter in network.heads.parameters())
    unfreeze(network)
    assert all(parameter.requires_grad for parameter in network.parameters())
    with pytest.raises(InputError, match=r"the backbone has no part 'layer9'; it has.*nearest: layer"):
        freeze(network, ["layer9"])


def test_fixed_norms_keep_their_statistics_while_training(network):
    network.train()
    fix_norm(network.backbone)
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(torch.randn(4, 3, 32, 24) + 3)
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


@pytest.mark.parametrize(
    ("model", "part", "parts"),
    [
        ("resnet10t", "stages:0", {"conv1", "bn1"}),
        ("resnet10t", "stages:2", {"conv1", "bn1", "layer1", "layer2"}),
        ("mobilenetv2_050", "stages:1", {"conv_stem", "bn1", "blocks.0"}),
        ("test_vit", "stages:2", {"cls_token", "pos_embed", "patch_embed", "blocks.0", "blocks.1"}),
    ],
)
def test_the_stem_and_the_first_stages_are_frozen(model, part, parts):
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
    network = Network(make_backbone(model, Preprocessing(32, 32)), heads)
    freeze(network, [part])
    for name, parameter in network.named_parameters():
        own = name.removeprefix("backbone.")
        depth = 2 if own.startswith("blocks") else 1
        assert parameter.requires_grad != (".".join(own.split(".")[:depth]) in parts), name


@pytest.mark.parametrize("part", ["stages:5", "stages:-1", "stages:", "stages:two"])
def test_the_error_about_stages_has_their_number(network, part):
    with pytest.raises(InputError, match=rf"freeze: '{part}' must be stages:N with N from 0 \(only the stem\) to 4"):
        freeze(network, [part])
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_frozen_stages_update_batch_norm_statistics_unless_freeze_norm_is_set(network):
    freeze(network, ["stages:4"])
    network.train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(torch.randn(4, 3, 32, 24) + 3)
    assert any(not torch.equal(value, before[name]) for name, value in network.named_buffers())
