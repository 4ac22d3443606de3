"""Fusion: embeddings of metadata, which the classifiers read beside the image's features."""

from __future__ import annotations

import torch
from torch import nn

from model.images.preprocessing import Preprocessing
from model.images.vocabulary import UNKNOWN, Vocabulary
from model.network.backbone import make_backbone
from model.settings.choices import METADATA_ONLY
from model.settings.train import TrainSettings

METADATA_PREFIX = "metadata."  # of the parameter names of a network's embeddings


class MetadataEmbeddings(nn.Module):
    """Maps codes of a vocabulary to learned embeddings (Guo and Berkhahn, Entity Embeddings of Categorical Variables,
    2016), one after the other.

    Args:
        vocabulary: The columns.
        dropout: Probability of replacing a code by UNKNOWN in training, independently for each image and column.
    """

    def __init__(self, vocabulary: Vocabulary, dropout: float):
        super().__init__()
        self.columns = nn.ModuleList(nn.Embedding(column.entries, column.size) for column in vocabulary.columns)
        self.features, self.dropout = sum(column.size for column in vocabulary.columns), dropout

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Returns float32 (N, features). codes: int64 (N, columns)."""
        if self.training and self.dropout:
            dropped = torch.rand(codes.shape, device=codes.device) < self.dropout
            codes = codes.masked_fill(dropped, UNKNOWN)
        embedded = [column(own) for column, own in zip(self.columns, codes.unbind(dim=1), strict=True)]
        return torch.cat(embedded, dim=1)


class NoBackbone(nn.Module):
    """In the place of a backbone if only metadata is read: features of size 0."""

    num_features = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.new_zeros(len(pixels), 0)


def make_image_network(settings: TrainSettings, preprocessing: Preprocessing, pretrained: bool = False) -> nn.Module:
    """The part of the network that reads images. Errors: see make_backbone.

    Args:
        settings: fusion, name and arguments of the backbone.
        preprocessing: Channels and size of its input.
        pretrained: Whether to load timm's pretrained weights.
    """
    if settings.fusion == METADATA_ONLY:
        return NoBackbone()
    return make_backbone(settings.model, preprocessing, settings.drop_path, pretrained, settings.model_args)


def make_embeddings(settings: TrainSettings, vocabulary: Vocabulary | None) -> MetadataEmbeddings | None:
    """The embeddings of a vocabulary, with random weights; None without one."""
    return MetadataEmbeddings(vocabulary, settings.metadata_dropout) if vocabulary else None
