"""Freezing: parameters that are not trained, and batch norms with fixed statistics."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from model.errors import InputError, did_you_mean, listing
from model.network.adapters import ADAPTER
from model.network.layers import parameter_layers
from model.network.network import Network

STAGES = "stages:"  # before the number of stages in the setting `freeze`


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Freezes parts of the backbone, so that they are not trained.

    Args:
        network: The network, changed in place.
        parts: `backbone` for the whole backbone, `stages:N` for its stem and first N stages (of a vision transformer:
            blocks), or prefixes of its parameter names.

    Raises:
        InputError: If no parameter's name starts with one of the parts, or the backbone does not have N stages.
    """
    for part in parts:
        if part.startswith(STAGES):
            freeze_stages(network.backbone, part)
            continue
        frozen = 0
        for name, parameter in network.backbone.named_parameters():
            if part == "backbone" or name.startswith(part):
                parameter.requires_grad = False
                frozen += 1
        if not frozen:
            blocks = sorted({name.split(".")[0] for name, _ in network.backbone.named_parameters()})
            raise InputError(
                f"freeze: the backbone has no part {part!r}; it has {listing(blocks)}{did_you_mean(part, blocks)}"
            )


def freeze_stages(backbone: nn.Module, part: str) -> None:
    """Freezes the stem and the first N stages of a backbone. part: stages:N.

    Raises:
        InputError: If the backbone does not have N stages.
    """
    stem, *stages, _ = parameter_layers(backbone, True, f"freeze {part}")
    count = part.removeprefix(STAGES).strip()
    if not (count.isascii() and count.isdigit() and int(count) <= len(stages)):
        raise InputError(
            f"freeze: {part!r} must be {STAGES}N with N from 0 (only the stem) to {len(stages)}, the number of stages "
            "of the backbone"
        )
    frozen = {name for names in (stem, *stages[: int(count)]) for name in names}
    for name, parameter in backbone.named_parameters():
        if name in frozen:
            parameter.requires_grad = False


def freeze_for_adapters(network: Network) -> None:
    """Freezes the backbone except for its adapters and normalisation layers."""
    for module_name, module in network.backbone.named_modules():
        is_norm = "norm" in type(module).__name__.lower()  # of torch and of timm
        for name, parameter in module.named_parameters(module_name, recurse=False):
            parameter.requires_grad = is_norm or ADAPTER in name


def unfreeze(network: Network) -> None:
    """Makes every parameter trainable."""
    for parameter in network.parameters():
        parameter.requires_grad = True


def fix_norm(network: nn.Module) -> None:
    """Makes batch norms use their saved statistics in training. Call it after each network.train()."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
