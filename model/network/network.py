"""The network that is trained and saved: a backbone and a classifier for each head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from model.network.fusion import MetadataEmbeddings
from model.network.heads import Heads

BACKBONE = "backbone."  # prefix of the backbone's parameter names


class Network(nn.Module):
    """Maps images and, if it has embeddings, their metadata to the logits of all heads, (N, outputs).

    Args:
        backbone: A timm network without classifier, which maps images to features (N, features).
        heads: The heads; the logits are in their order.
        hidden_layers: Widths of the hidden layers of each classifier.
        dropout: Dropout rate before each layer of a classifier.
        metadata: Embeddings of metadata, which the classifiers read after the features; None to read only images.
    """

    def __init__(
        self,
        backbone: nn.Module,
        heads: Heads,
        hidden_layers: Sequence[int] = (),
        dropout: float = 0.0,
        metadata: MetadataEmbeddings | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        self.metadata = metadata
        if metadata is not None:
            features += metadata.features
        self.heads = nn.ModuleList(_classifier(features, hidden_layers, head.outputs, dropout) for head in heads.heads)

    def forward(self, pixels: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """The logits from the tensors of network_tensors.

        Args:
            pixels: Normalised images, float32 (N, channels, height, width).
            metadata: Codes of their metadata, int64 (N, columns), if the network has embeddings.
        """
        return self.logits(self.backbone(pixels), metadata)

    def logits(self, features: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """The logits (N, outputs) from the backbone's features (N, features). metadata: as in forward."""
        if self.metadata is not None:
            features = torch.cat([features, self.metadata(metadata)], dim=1)
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
