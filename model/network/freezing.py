"""model/network/freezing.py."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from model.errors import InputError, did_you_mean, listing
from model.network.network import Network


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Parameters that do not learn: `backbone`, or those of the backbone whose names begin with a part. InputError
    where a part names nothing."""
    for part in parts:
        found = False
        for name, parameter in network.backbone.named_parameters():
            if part == "backbone" or name.startswith(part):
                parameter.requires_grad = False
                found = True
        if not found:
            blocks = sorted({name.split(".")[0] for name, _ in network.backbone.named_parameters()})
            raise InputError(
                f"freeze: the backbone has no {part!r}, it has {listing(blocks)}{did_you_mean(part, blocks)}"
            )


def unfreeze(network: Network) -> None:
    """Every parameter learns."""
    for parameter in network.parameters():
        parameter.requires_grad = True


def fix_norm(network: nn.Module) -> None:
    """Batch norms use their saved statistics, also while training."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
