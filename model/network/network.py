"""The network that is trained and saved: a backbone and a classifier for each head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from model.images.preprocessing import Preprocessing
from model.network.adapters import add_adapters
from model.network.classifiers import LastLayer, last_layer, linear_layer, make_classifier
from model.network.heads import Heads
from model.network.layers import parameter_layers
from model.network.pooling import AttentionPooling, make_pooling
from model.settings.network import NetworkSettings

BACKBONE = "backbone."  # prefix of the backbone's parameter names


class Network(nn.Module):
    """Maps images, the tensor `pixels` of network_tensors, to the logits of all heads, (N, outputs).

    Args:
        backbone: A timm network without classifier, which maps images to features (N, features).
        heads: The heads; the logits are in their order.
        hidden_layers: Widths of the hidden layers of each classifier.
        dropout: Dropout rate before each layer of a classifier.
        last: Makes the last layer of each classifier.
        pooling: Pools the backbone's feature map; None if the backbone does.
    """

    def __init__(
        self,
        backbone: nn.Module,
        heads: Heads,
        hidden_layers: Sequence[int] = (),
        dropout: float = 0.0,
        last: LastLayer = linear_layer,
        pooling: AttentionPooling | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        self.heads = nn.ModuleList(
            make_classifier(features, hidden_layers, head.outputs, dropout, last) for head in heads.heads
        )

    @classmethod
    def of(cls, settings: NetworkSettings, backbone: nn.Module, heads: Heads, preprocessing: Preprocessing) -> Network:
        """The network that the settings define.

        Args:
            settings: Adapters, pooling and classifiers.
            backbone: A backbone from make_backbone; adapters are added to it.
            heads: The heads.
            preprocessing: Size and channels of the backbone's input.

        Raises:
            InputError: If the backbone cannot have the adapters or the pooling.
        """
        add_adapters(settings, backbone, preprocessing)
        pooling = make_pooling(settings, backbone, preprocessing)
        return cls(backbone, heads, settings.hidden_layers, settings.dropout, last_layer(settings), pooling)

    def group_matcher(self, coarse: bool = False) -> Callable[[str], float]:
        """The number of a parameter's layer by the parameter's name, for timm's optimisers: the layers of the backbone,
        then everything else. coarse: as in parameter_layers.

        Raises:
            InputError: If timm does not know the layers of the backbone.
        """
        *layers, _ = parameter_layers(self.backbone, coarse, "layer_decay")
        numbers = {BACKBONE + name: number for number, names in enumerate(layers) for name in names}
        return lambda name: numbers.get(name, math.inf)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The features that the classifiers use, (N, features). pixels: as in forward."""
        if self.pooling is None:
            return self.backbone(pixels)
        return self.pooled(self.backbone.forward_features(pixels))  # type: ignore[operator]

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """The features of maps from the backbone's forward_features, (N, features)."""
        return self.backbone.forward_head(maps if self.pooling is None else self.pooling(maps))  # type: ignore[operator]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """pixels: normalised images, float32 (N, channels, height, width)."""
        features = self.features(pixels)
        return torch.cat([head(features) for head in self.heads], dim=1)
