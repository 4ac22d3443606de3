"""The network that is trained and saved: a backbone and a classifier for each head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from model.network.heads import Heads

BACKBONE = "backbone."  # prefix of the backbone's parameter names


class Network(nn.Module):
    """Maps images, the tensor `pixels` of network_tensors, to the logits of all heads, (N, outputs).

    Args:
        backbone: A timm network without classifier, which maps images to features (N, features).
        heads: The heads; the logits are in their order.
        hidden_layers: Widths of the hidden layers of each classifier.
        dropout: Dropout rate before each layer of a classifier.
    """

    def __init__(self, backbone: nn.Module, heads: Heads, hidden_layers: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        self.backbone = backbone
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        self.heads = nn.ModuleList(_classifier(features, hidden_layers, head.outputs, dropout) for head in heads.heads)

    def forward(self, pixels: torch.Tensor | None = None, features: torch.Tensor | None = None) -> torch.Tensor:
        """Returns logits (N, outputs) from one of both arguments.

        Args:
            pixels: Normalised images, float32 (N, channels, height, width).
            features: Output of the backbone for them, (N, features), computed before (model.training.features).
        """
        if features is None:
            features = self.backbone(pixels)
        return torch.cat([head(features) for head in self.heads], dim=1)


def _classifier(features: int, hidden_layers: Sequence[int], outputs: int, dropout: float) -> nn.Sequential:
    """Hidden layers with ReLU, followed by a linear layer with small initial weights."""
    layers: list[nn.Module] = []
    for width in hidden_layers:
        layers += [nn.Dropout(dropout), nn.Linear(features, width), nn.ReLU(inplace=True)]
        features = width
    last = nn.Linear(features, outputs)
    nn.init.trunc_normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, nn.Dropout(dropout), last)
