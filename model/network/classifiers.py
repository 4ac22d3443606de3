"""Classifiers of a network's heads: hidden layers and a linear or a cosine layer; their start from class means."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from model.settings.network import NetworkSettings

LastLayer = Callable[[int, int], nn.Module]  # makes the last layer of a classifier from numbers of inputs and outputs


class CosineLayer(nn.Module):
    """Maps features (N, features) to logits (N, outputs): the cosines between features and class vectors, times a
    scale. Gidaris and Komodakis, Dynamic few-shot visual learning without forgetting, CVPR 2018, equation 5.

    The vectors of rare and of frequent classes have the same length, which those of a linear layer do not.

    Args:
        features: Number of features.
        outputs: Number of class vectors.
        scale: The scale, greater than 0.
        learned: Whether the scale is trained. It is stored as its logarithm, so it stays greater than 0.
    """

    def __init__(self, features: int, outputs: int, scale: float = 16.0, learned: bool = True):
        super().__init__()
        # random directions of length 1, so that a learning rate turns them as far as class means
        self.weight = nn.Parameter(functional.normalize(torch.randn(outputs, features), dim=1))
        self.log_scale: torch.Tensor
        log_scale = torch.tensor(math.log(scale))
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        unit, vectors = functional.normalize(features.float(), dim=1), functional.normalize(self.weight.float(), dim=1)
        return functional.linear(unit, vectors) * self.log_scale.exp()


def linear_layer(features: int, outputs: int) -> nn.Linear:
    """A linear layer with small initial weights."""
    layer = nn.Linear(features, outputs)
    nn.init.trunc_normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def last_layer(settings: NetworkSettings) -> LastLayer:
    """What makes the last layer of each classifier, by the settings `classifier` and `classifier_scale`."""
    if settings.classifier == "linear":
        return linear_layer
    scale, learned = settings.classifier_scale, settings.classifier_scale_learned
    return lambda features, outputs: CosineLayer(features, outputs, scale, learned)


def make_classifier(
    features: int, hidden_layers: Sequence[int], outputs: int, dropout: float, last: LastLayer = linear_layer
) -> nn.Sequential:
    """Hidden layers with ReLU, followed by the last layer.

    Args:
        features: Number of features.
        hidden_layers: Widths of the hidden layers.
        outputs: Number of logits.
        dropout: Dropout rate before each layer.
        last: Makes the last layer.
    """
    layers: list[nn.Module] = []
    for width in hidden_layers:
        layers += [nn.Dropout(dropout), nn.Linear(features, width), nn.ReLU(inplace=True)]
        features = width
    layer = last(features, outputs)
    return nn.Sequential(*layers, nn.Dropout(dropout), layer)


@torch.no_grad()
def set_class_vectors(classifier: nn.Sequential, sums: torch.Tensor, scale: float) -> int:
    """Sets the class vectors of a classifier's last layer to the directions of sums of normalised features.

    A classifier with one output for two classes gets the difference of their directions, which is 0 for features that
    are equally close to both. A bias is set to 0 where a vector is set.

    Args:
        classifier: A classifier from make_classifier.
        sums: Sum of the normalised inputs of the last layer by class, float (classes, features); 0 for a class without
            images, whose vector is not changed.
        scale: Length of the vectors of a linear layer; those of a cosine layer have length 1.

    Returns:
        Number of vectors that were set.
    """
    last = classifier[-1]
    has_images = sums.abs().sum(dim=1) > 0
    vectors = functional.normalize(sums.double(), dim=1)
    if len(last.weight) == 1:  # type: ignore[arg-type]
        vectors, has_images = vectors[1:] - vectors[:1], has_images.all()[None]
        vectors = functional.normalize(vectors, dim=1)
    rows = has_images.nonzero()[:, 0].to(last.weight.device)  # type: ignore[arg-type]
    length = 1.0 if isinstance(last, CosineLayer) else scale
    last.weight[rows] = (vectors[has_images] * length).to(last.weight)  # type: ignore[arg-type, operator]
    if isinstance(last, nn.Linear):
        last.bias[rows] = 0.0
    return len(rows)
