"""Adapters, against their formulas; what they freeze, and weights with and without them."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.labels import mask_scheme
from model.network.adapters import ADAPTER, LowRankAdapter, ParallelAdapter, add_adapters
from model.network.backbone import make_backbone, make_preprocessing
from model.network.freezing import freeze_for_adapters
from model.network.heads import make_heads
from model.network.network import Network
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.parallel import ParallelNetwork
from model.weights.initial_weights import make_network
from tests.model.training.test_parallel import CPU

HEADS = make_heads(mask_scheme(), "heads", lambda head, classes: classes)
KINDS = ["adaptformer", "lora"]
SMALL = Preprocessing(32, 32)


def settings_of(adapter: str, **values: object) -> TrainSettings:
    small = {"model": "test_vit", "pretrained": False, "input_size": [32, 32], "adapter": adapter, "adapter_dim": 4}
    return build(TrainSettings, [Layer("--{}", {**small, **values})])


def network_of(adapter: str, **values: object) -> Network:
    settings = settings_of(adapter, **values)
    return make_network(settings, HEADS, make_preprocessing(settings))


def filled(module: nn.Module) -> nn.Module:
    """With random numbers in place of the zeros of adapters."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if ADAPTER in f".{name}" or isinstance(module, (ParallelAdapter, LowRankAdapter)):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return module


def test_the_formulas():
    inputs = torch.randn(2, 5, 6)
    parallel = filled(ParallelAdapter(6, 3))
    hidden = (inputs @ parallel.down.weight.T + parallel.down.bias).clamp(min=0)
    torch.testing.assert_close(parallel(inputs), 0.1 * (hidden @ parallel.up.weight.T + parallel.up.bias))
    layer = nn.Linear(6, 9)
    low_rank = filled(LowRankAdapter(layer, 2))
    update = low_rank.up.weight @ low_rank.down.weight
    assert torch.linalg.matrix_rank(update) == 2
    torch.testing.assert_close(
        layer(inputs) + low_rank(inputs), functional.linear(inputs, layer.weight + update, layer.bias)
    )
    for new in (ParallelAdapter(6, 3), LowRankAdapter(layer, 2)):
        assert not new(inputs).any() and new.down.weight.any()


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_backbone_at_the_start_and_of_the_formula_later(kind):
    backbone = make_backbone("test_vit", SMALL).eval()
    pixels = torch.randn(3, 3, 32, 32)
    plain = copy.deepcopy(backbone)
    add_adapters(settings_of(kind), backbone, SMALL)
    with torch.inference_mode():
        assert torch.equal(backbone(pixels), plain(pixels))
        filled(backbone)
        changed = backbone(pixels)
        assert not torch.allclose(changed, plain(pixels), atol=1e-3)
        # the same network by hand: LoRA merged into the weights, or each block of timm written out
        if kind == "lora":
            for block, adapted in zip(plain.blocks, backbone.blocks, strict=True):
                for name in ("qkv", "proj"):
                    adapter = getattr(adapted.attn, name).adapter
                    getattr(block.attn, name).weight += adapter.up.weight @ adapter.down.weight
            expected = plain(pixels)
        else:
            x = plain.norm_pre(plain._pos_embed(plain.patch_embed(pixels)))
            for block, adapted in zip(plain.blocks, backbone.blocks, strict=True):
                x = x + block.attn(block.norm1(x))
                x = x + block.mlp(block.norm2(x)) + adapted.mlp.adapter(block.norm2(x))
            expected = plain.forward_head(plain.norm(x))
        torch.testing.assert_close(changed, expected, rtol=1e-4, atol=1e-5)
        # a copy, such as the averaged network, has adapters of its own
        twin = copy.deepcopy(backbone)
        for name, parameter in backbone.named_parameters():
            if ADAPTER in name:
                parameter.zero_()
        torch.testing.assert_close(twin(pixels), changed)


@pytest.mark.parametrize("kind", KINDS)
def test_only_adapters_norms_and_classifiers_are_trained_in_every_epoch(kind):
    network = network_of(kind)
    parallel = ParallelNetwork(network, settings_of(kind), CPU)
    parallel.prepare(5)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    norms = {name for name, _ in network.named_parameters() if ".norm" in name}
    assert norms and trained == {
        name for name, _ in network.named_parameters() if ADAPTER in name or name in norms or name.startswith("heads.")
    }
    sizes = {"adaptformer": 1, "lora": 2}
    assert sum(name.endswith("adapter.up.weight") for name in trained) == sizes[kind] * len(network.backbone.blocks)


def test_batch_norms_count_as_norms():
    network = Network(make_backbone("test_resnet", SMALL), HEADS)
    freeze_for_adapters(network)
    trained = {name for name, parameter in network.backbone.named_parameters() if parameter.requires_grad}
    norms = {
        f"{name}.{kind}"
        for name, module in network.backbone.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for kind in ("weight", "bias")
    }
    assert trained == norms and norms


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 48])
def test_timms_files_and_models_with_adapters_are_loaded(kind, size, tmp_path, caplog):
    reference = timm.create_model("test_vit", pretrained=False, num_classes=5, img_size=32)
    save_file(reference.state_dict(), tmp_path / "timm.safetensors")
    loaded = network_of(kind, weights=str(tmp_path / "timm.safetensors"), input_size=[size, size])
    name = "blocks.0.attn.qkv.weight"
    assert torch.equal(loaded.backbone.state_dict()[name], reference.state_dict()[name])
    assert {key for key in loaded.backbone.state_dict() if ADAPTER not in key} == {
        key for key in reference.state_dict() if not key.startswith("head.")
    }
    # a model with adapters, also for another input size
    filled(loaded)
    save_file(loaded.state_dict(), tmp_path / "adapted.safetensors")
    with caplog.at_level(logging.INFO, "rarebird"):
        again = network_of(kind, weights=str(tmp_path / "adapted.safetensors"), input_size=[48, 48])
    assert ("converted by timm" in caplog.text) == (size == 32)
    adapters = {key for key in loaded.state_dict() if ADAPTER in key}
    assert adapters and all(torch.equal(again.state_dict()[key], loaded.state_dict()[key]) for key in adapters)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_with_other_adapters_are_an_error(kind, tmp_path):
    save_file(network_of(kind).state_dict(), tmp_path / "w.safetensors")
    path = str(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"not in the network .*adapter"):
        network_of("none", weights=path)
    with pytest.raises(
        InputError, match=r"with another shape .*adapter.down.weight \[4, 64\], the network has \[6, 64\]"
    ):
        network_of(kind, weights=path, adapter_dim=6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pretrained_weights_and_other_random_numbers_do_not_depend_on_adapters(kind):
    torch.manual_seed(0)
    plain = make_backbone("test_vit", SMALL).state_dict()
    torch.manual_seed(0)
    adapted = network_of(kind).backbone.state_dict()
    assert all(torch.equal(value, adapted[name]) for name, value in plain.items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["test_resnet", "mobilenetv3_small_050"])
def test_other_backbones_are_an_error(kind, model):
    with pytest.raises(InputError, match=f"adapter {kind}: needs a vision transformer .*model '{model}' cannot"):
        network_of(kind, model=model)


def test_a_backbone_that_does_not_call_the_layers_is_an_error():
    class Direct(nn.Module):
        """Uses the weights of qkv itself, as BEiT does in timm."""

        embed_dim = 8

        def __init__(self) -> None:
            super().__init__()
            block = nn.Module()
            block.attn, block.mlp = nn.Module(), nn.Linear(8, 8)
            block.attn.qkv, block.attn.proj = nn.Linear(8, 24), nn.Linear(8, 8)
            self.blocks = nn.ModuleList([block])

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            block, x = self.blocks[0], pixels.flatten(1)[:, :8]
            x = functional.linear(x, block.attn.qkv.weight)[:, :8]
            return block.mlp(block.attn.proj(x))

    add_adapters(settings_of("adaptformer"), Direct(), SMALL)
    with pytest.raises(InputError, match="adapter lora: needs"):
        add_adapters(settings_of("lora"), Direct(), SMALL)


def test_freezing_other_parts_is_a_contradiction(tmp_path: Path):
    with pytest.raises(InputError, match="adapter lora freezes the backbone except for adapters and norms"):
        settings_of("lora", freeze=["backbone"])
