"""The network that is trained and saved: a backbone and a classifier for each head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from model.images.preprocessing import Preprocessing
from model.images.vocabulary import Vocabulary
from model.network.adapters import add_adapters
from model.network.classifiers import LastLayer, last_layer, linear_layer, make_classifier
from model.network.fusion import MetadataEmbeddings, make_embeddings
from model.network.heads import Heads
from model.network.layers import parameter_layers
from model.network.pooling import AttentionPooling, make_pooling
from model.settings.train import TrainSettings

BACKBONE = "backbone."  # prefix of the backbone's parameter names


class Network(nn.Module):
    """Maps images and, if it has embeddings, their metadata to the logits of all heads, (N, outputs).

    Args:
        backbone: A timm network without classifier, which maps images to features (N, features).
        heads: The heads; the logits are in their order.
        hidden_layers: Widths of the hidden layers of each classifier.
        dropout: Dropout rate before each layer of a classifier.
        last: Makes the last layer of each classifier.
        pooling: Pools the backbone's feature map; None if the backbone does.
        metadata: Embeddings of metadata, which the classifiers read after the features; None to read only images.
    """

    def __init__(
        self,
        backbone: nn.Module,
        heads: Heads,
        hidden_layers: Sequence[int] = (),
        dropout: float = 0.0,
        last: LastLayer = linear_layer,
        pooling: AttentionPooling | None = None,
        metadata: MetadataEmbeddings | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        features = int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]
        self.metadata = metadata
        if metadata is not None:
            features += metadata.features
        self.heads = nn.ModuleList(
            make_classifier(features, hidden_layers, head.outputs, dropout, last) for head in heads.heads
        )

    @classmethod
    def of(
        cls,
        settings: TrainSettings,
        backbone: nn.Module,
        heads: Heads,
        preprocessing: Preprocessing,
        vocabulary: Vocabulary | None,
    ) -> Network:
        """The network that the settings define.

        Args:
            settings: Adapters, pooling and classifiers.
            backbone: A backbone from make_image_network; adapters are added to it.
            heads: The heads.
            preprocessing: Size and channels of the backbone's input.
            vocabulary: The metadata that it reads; None to read only images.

        Raises:
            InputError: If the backbone cannot have the adapters or the pooling.
        """
        add_adapters(settings, backbone, preprocessing)
        pooling = make_pooling(settings, backbone, preprocessing)
        embeddings = make_embeddings(settings, vocabulary)
        return cls(backbone, heads, settings.hidden_layers, settings.dropout, last_layer(settings), pooling, embeddings)

    def group_matcher(self, coarse: bool = False) -> Callable[[str], float]:
        """The number of a parameter's layer by the parameter's name, for timm's optimisers: the layers of the backbone,
        then everything else. coarse: as in parameter_layers.

        Raises:
            InputError: If timm does not know the layers of the backbone.
        """
        *layers, _ = parameter_layers(self.backbone, coarse, "layer_decay")
        numbers = {BACKBONE + name: number for number, names in enumerate(layers) for name in names}
        return lambda name: numbers.get(name, math.inf)

    def features(self, pixels: torch.Tensor | None) -> torch.Tensor:
        """The features that the classifiers use, (N, features). pixels: as in forward."""
        if self.pooling is None:
            return self.backbone(pixels)
        return self.pooled(self.backbone.forward_features(pixels))  # type: ignore[operator]

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """The features of maps from the backbone's forward_features, (N, features)."""
        return self.backbone.forward_head(maps if self.pooling is None else self.pooling(maps))  # type: ignore[operator]

    def forward(
        self,
        pixels: torch.Tensor | None = None,
        metadata: torch.Tensor | None = None,
        features: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The logits (N, outputs) from the tensors of network_tensors: pixels or their features, and metadata.

        Args:
            pixels: Normalised images, float32 (N, channels, height, width).
            metadata: Codes of their metadata, int64 (N, columns), if the network has embeddings.
            features: Output of the backbone for the images, (N, features), computed before (model.training.features).
        """
        return self.logits(self.features(pixels) if features is None else features, metadata)

    def classifier_inputs(self, pixels: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """What each classifier reads, (N, features). Arguments are those of forward."""
        return self._with_metadata(self.features(pixels), metadata)

    def logits(self, features: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """The logits (N, outputs) from the images' features (N, features). metadata: as in forward."""
        inputs = self._with_metadata(features, metadata)
        return torch.cat([head(inputs) for head in self.heads], dim=1)

    def _with_metadata(self, features: torch.Tensor, metadata: torch.Tensor | None) -> torch.Tensor:
        """The features, followed by the embeddings of the metadata if the network has them."""
        return features if self.metadata is None else torch.cat([features, self.metadata(metadata)], dim=1)
