from __future__ import annotations

import pytest
import torch
from torch import nn

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.backbone import make_backbone
from model.network.heads import make_heads
from model.network.network import Network
from model.runtime.hardware import Hardware
from model.settings.train import TrainSettings
from model.training.parallel import ParallelNetwork

CPU = Hardware(torch.device("cpu"), "fp32")


@pytest.fixture
def network() -> Network:
    heads = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
    return Network(make_backbone("test_resnet", Preprocessing(32, 24)), heads)


def trained(network: nn.Module) -> set[str]:
    """The parts of the backbone that are trained."""
    return {name.split(".")[0] for name, parameter in network.backbone.named_parameters() if parameter.requires_grad}


def test_parts_are_frozen_for_the_first_epochs(network):
    parallel = ParallelNetwork(network, TrainSettings(freeze=["conv1", "layer1"], freeze_epochs=2), CPU)
    everything = {name.split(".")[0] for name, _ in network.backbone.named_parameters()}
    seen = []
    for epoch in (0, 1, 2, 3, 1):
        parallel.prepare(epoch)
        seen.append(everything - trained(network))
    assert seen == [{"conv1", "layer1"}, {"conv1", "layer1"}, set(), set(), {"conv1", "layer1"}]


def test_without_freeze_epochs_parts_stay_frozen(network):
    parallel = ParallelNetwork(network, TrainSettings(freeze=["backbone"]), CPU)
    parallel.prepare(99)
    assert trained(network) == set()
    with pytest.raises(InputError, match="has no part 'layer9'"):
        ParallelNetwork(network, TrainSettings(freeze=["layer9"]), CPU)


def test_in_one_process_it_is_the_network_itself(network):
    parallel = ParallelNetwork(network, TrainSettings(), CPU)
    inputs = torch.randn(2, 3, 32, 24)
    network.eval()
    for enabled in (True, False):
        with parallel.exchange(enabled):
            assert torch.equal(parallel(pixels=inputs), network(inputs))


def test_too_few_images_for_batch_norm_are_bad_input(network):
    network.train()
    small = torch.randn(1, 3, 8, 8)
    with pytest.raises(InputError, match="a batch of 1 at this input_size does not have: use a larger batch_size"):
        ParallelNetwork(network, TrainSettings(), CPU)(pixels=small)


def test_other_errors_are_not_changed(network):
    class Broken(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            raise ValueError("something else")

    network.backbone.conv1 = Broken()
    with pytest.raises(ValueError, match="something else"):
        ParallelNetwork(network, TrainSettings(), CPU)(pixels=torch.randn(2, 3, 32, 24))
