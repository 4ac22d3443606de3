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
