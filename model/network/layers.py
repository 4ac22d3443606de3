"""Layers of a backbone from its input to its output, as timm groups its parameters."""

from __future__ import annotations

from itertools import chain
from typing import Any

from timm.models._manipulate import group_with_matcher
from torch import nn

from model.errors import InputError

OUTSIDE = "outside-the-backbone"  # a name that no backbone has, for what follows the backbone


def parameter_layers(backbone: nn.Module, coarse: bool, setting: str) -> list[list[str]]:
    """Names of the backbone's parameters by layer.

    Args:
        backbone: A backbone from make_backbone.
        coarse: Whether a layer is a stage of a convolutional network instead of a block. The layers of vision
            transformers are blocks in both cases.
        setting: What needs the layers, for the error message.

    Returns:
        The stem, each block or stage, and last what belongs to none of them, such as the norm behind the pooling, which
        may be nothing.

    Raises:
        InputError: If timm does not know the layers of this backbone.
    """
    matcher: Any = getattr(backbone, "group_matcher", None)
    if matcher is None:
        raise InputError(f"{setting}: timm does not define the layers of {type(backbone).__name__}")
    # a name that matches nothing belongs to the last layer, which then always exists
    named = chain(backbone.named_parameters(), [(OUTSIDE, None)])
    layers = group_with_matcher(named, matcher(coarse=coarse))
    return [[name for name in layers[number] if name != OUTSIDE] for number in sorted(layers)]
