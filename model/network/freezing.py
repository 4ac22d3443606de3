"""Freezing: parameters that are not trained, and batch norms with fixed statistics."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from model.errors import InputError, did_you_mean, listing
from model.network.network import Network


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Freezes parts of the backbone, so that they are not trained.

    Args:
        network: The network, changed in place.
        parts: `backbone` for the whole backbone, or prefixes of its parameter names.

    Raises:
        InputError: If no parameter's name starts with one of the parts.
    """
    for part in parts:
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


def unfreeze(network: Network) -> None:
    """Makes every parameter trainable."""
    for parameter in network.parameters():
        parameter.requires_grad = True


def fix_norm(network: nn.Module) -> None:
    """Makes batch norms use their saved statistics in training. Call it after each network.train()."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
