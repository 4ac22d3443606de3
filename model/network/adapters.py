"""Adapters: small trained layers in a vision transformer whose own layers are frozen.

An adapter is a submodule `adapter` of the layer that it adds to, so the backbone's parameters keep timm's names and
files of weights load as without adapters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.settings.network import NetworkSettings

ADAPTER = ".adapter."  # in the names of the parameters of adapters, and of no others
PARALLEL_SCALE = 0.1  # s of the AdaptFormer paper, table 6


class ParallelAdapter(nn.Module):
    """A bottleneck parallel to the MLP of a block: s ReLU(x W_down) W_up, where x is the input of the MLP. Chen et al.,
    AdaptFormer: Adapting vision transformers for scalable visual recognition, NeurIPS 2022, equations 2 and 3.

    It is 0 before training. A layer scale behind the MLP scales the adapter too.

    Args:
        features: Width of the block.
        dim: Width of the bottleneck.
    """

    def __init__(self, features: int, dim: int):
        super().__init__()
        self.down, self.up = nn.Linear(features, dim), nn.Linear(dim, features)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return PARALLEL_SCALE * self.up(self.down(inputs).relu())


class LowRankAdapter(nn.Module):
    """An update of low rank of a linear layer: x A B with alpha = r, so a scale of 1. Hu et al., LoRA: Low-rank
    adaptation of large language models, ICLR 2022, section 4.1.

    It is 0 before training.

    Args:
        layer: The linear layer.
        dim: Rank r of the update.
    """

    def __init__(self, layer: nn.Linear, dim: int):
        super().__init__()
        self.down = nn.Linear(layer.in_features, dim, bias=False)
        self.up = nn.Linear(dim, layer.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(inputs))


def add_adapters(settings: NetworkSettings, backbone: nn.Module, preprocessing: Preprocessing) -> None:
    """Adds the adapters of the setting `adapter` to a backbone from make_backbone; does nothing if it is none.

    adaptformer adds one to the MLP of each block, lora one to each of the layers qkv and proj of its attention.

    Args:
        settings: Kind and size of the adapters.
        backbone: The backbone, changed in place.
        preprocessing: Size and channels of its input.

    Raises:
        InputError: If the backbone does not have these layers in each block, or computes without them.
    """
    if settings.adapter == "none":
        return
    layers = list(_adapted_layers(settings.adapter, backbone))
    if not layers:
        raise _unsupported(settings)
    used = [0] * len(layers)

    def count(number: int) -> Any:
        def counted(*_: Any) -> None:
            used[number] += 1

        return counted

    counters = []
    for number, (layer, features) in enumerate(layers):
        adapter = (
            ParallelAdapter(features, settings.adapter_dim)
            if settings.adapter == "adaptformer"
            else LowRankAdapter(layer, settings.adapter_dim)  # type: ignore[arg-type]
        )
        layer.add_module("adapter", adapter)
        layer.register_forward_hook(_add_adapter)
        counters.append(adapter.register_forward_hook(count(number)))
    # some backbones use the weights of these layers without calling them
    was_training = backbone.training
    with torch.inference_mode():
        backbone.eval()(torch.zeros(1, preprocessing.channels, preprocessing.height, preprocessing.width))
    backbone.train(was_training)
    for counter in counters:
        counter.remove()
    if not all(used):
        raise _unsupported(settings)


def _adapted_layers(kind: str, backbone: nn.Module) -> Iterator[tuple[nn.Module, int]]:
    """The layers to add adapters to, each with the width of its block; nothing if a block lacks one."""
    layers: list[tuple[nn.Module, int]] = []
    for block in getattr(backbone, "blocks", []):
        attention, mlp = getattr(block, "attn", None), getattr(block, "mlp", None)
        features = getattr(backbone, "embed_dim", None)
        linear = [getattr(attention, name, None) for name in ("qkv", "proj")]
        own = [mlp] if kind == "adaptformer" else linear
        if not isinstance(features, int) or not all(isinstance(layer, nn.Linear) for layer in linear):
            return
        if not all(isinstance(layer, nn.Module) for layer in own):
            return
        layers += [(layer, features) for layer in own if layer is not None]
    yield from layers


def _add_adapter(layer: nn.Module, arguments: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
    """A forward hook that adds the output of a layer's adapter. It has no reference to the layer, so that copies of the
    network use their own adapters."""
    adapted: torch.Tensor = output + layer.adapter(arguments[0])  # type: ignore[operator]
    return adapted


def _unsupported(settings: NetworkSettings) -> InputError:
    return InputError(
        f"adapter {settings.adapter}: needs a vision transformer of timm, such as vit_small_patch16_224, whose blocks "
        f"have an MLP and attention with the layers qkv and proj; model {settings.model!r} cannot have adapters"
    )
