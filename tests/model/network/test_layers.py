"""Layers of backbones, against names that were read from timm's networks by hand."""

import pytest
import timm
import torch
from torch import nn

from model.errors import InputError
from model.network.layers import parameter_layers


def first_parts(names: list[str], parts: int) -> set[str]:
    return {".".join(name.split(".")[:parts]) for name in names}


def test_a_resnet_has_four_stages_of_blocks():
    backbone = timm.create_model("resnet18", num_classes=0)
    stem, *stages, rest = parameter_layers(backbone, True, "freeze")
    assert stem == ["conv1.weight", "bn1.weight", "bn1.bias"] and rest == []
    assert [first_parts(names, 1) for names in stages] == [{f"layer{number}"} for number in (1, 2, 3, 4)]
    _, *blocks, _ = parameter_layers(backbone, False, "layer_decay")
    assert [first_parts(names, 2) for names in blocks] == [
        {f"layer{stage}.{block}"} for stage in (1, 2, 3, 4) for block in (0, 1)
    ]


@pytest.mark.parametrize(("name", "stages"), [("mobilenetv2_100", 7), ("efficientnet_b0", 7)])
def test_the_last_stage_of_an_efficientnet_has_the_convolution_behind_it(name, stages):
    stem, *found, rest = parameter_layers(timm.create_model(name, num_classes=0), True, "freeze")
    assert first_parts(stem, 1) == {"conv_stem", "bn1"} and rest == [] and len(found) == stages
    assert [first_parts(names, 2) for names in found[:-1]] == [{f"blocks.{number}"} for number in range(stages - 1)]
    assert {name.split(".")[0] for name in found[-1]} == {"blocks", "conv_head", "bn2"}


def test_the_layers_of_a_vision_transformer_are_its_blocks():
    backbone = timm.create_model("test_vit", num_classes=0)
    for coarse in (True, False):
        stem, *blocks, rest = parameter_layers(backbone, coarse, "freeze")
        assert {"cls_token", "pos_embed"} <= first_parts(stem, 1) and rest == []
        assert len(blocks) == len(backbone.blocks) and "norm.weight" in blocks[-1]


def test_every_parameter_is_in_one_layer_and_those_behind_all_blocks_are_last():
    backbone = timm.create_model("test_convnext", num_classes=0)
    layers = parameter_layers(backbone, True, "freeze")
    names = [name for layer in layers for name in layer]
    assert sorted(names) == sorted(name for name, _ in backbone.named_parameters())
    assert layers[-1] == ["head.norm.weight", "head.norm.bias"]


def test_a_network_without_timms_groups_is_an_error():
    class Own(nn.Module):
        weight = torch.zeros(1)

    with pytest.raises(InputError, match="layer_decay: timm does not define the layers of Own"):
        parameter_layers(Own(), False, "layer_decay")
