"""Attention pooling of a backbone's feature map: a learned average over positions, before the classifiers."""

from __future__ import annotations

import torch
from torch import nn

from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.settings.network import NetworkSettings

HIDDEN = 128  # L in section 4.1 of Ilse et al.


class AttentionPooling(nn.Module):
    """Replaces a feature map by its mean over positions, weighted by attention: z = sum_p a_p h_p with the weights
    a = softmax_p(w tanh(V h_p)). Ilse et al., Attention-based deep multiple instance learning, ICML 2018, equations 7
    and 8.

    Before training all weights are equal, so z is the average over positions.

    Args:
        features: Number of channels of the map.
        prefix_tokens: Number of tokens before those of positions, such as class tokens, which are not averaged.
    """

    def __init__(self, features: int, prefix_tokens: int):
        super().__init__()
        self.features, self.prefix_tokens = features, prefix_tokens
        self.hidden = nn.Linear(features, HIDDEN)
        self.score = nn.Linear(HIDDEN, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def attention(self, positions: torch.Tensor) -> torch.Tensor:
        """The weight of each position, (N, positions, 1). positions: (N, positions, features)."""
        return self.score(self.hidden(positions).tanh()).softmax(dim=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """A map of the same layout with one position, so that the head of the backbone can follow.

        Args:
            maps: Maps with channels first or last, float (N, features, height, width) or (N, height, width, features),
                or tokens, float (N, tokens, features). All tokens of the result are z.
        """
        if maps.ndim == 3:
            positions = maps[:, self.prefix_tokens :]
            pooled = (self.attention(positions) * positions).sum(dim=1, keepdim=True)
            return pooled.expand(-1, self.prefix_tokens + 1, -1)
        is_last = has_channels_last(maps, self.features)
        positions = maps.flatten(1, 2) if is_last else maps.flatten(2).transpose(1, 2)
        pooled = (self.attention(positions) * positions).sum(dim=1)
        return pooled[:, None, None, :] if is_last else pooled[:, :, None, None]


def has_channels_last(maps: torch.Tensor, features: int) -> bool:
    """Whether the last dimension of maps (N, ., ., .) is that of channels. features: number of channels."""
    return maps.shape[3] == features and maps.shape[1] != features


def make_pooling(
    settings: NetworkSettings, backbone: nn.Module, preprocessing: Preprocessing
) -> AttentionPooling | None:
    """The pooling of the setting `pooling`; None for that of the backbone.

    Args:
        settings: Kind of pooling.
        backbone: A backbone from make_backbone.
        preprocessing: Size and channels of its input.

    Raises:
        InputError: If the backbone has no feature map, or its head does not take a map with one position.
    """
    if settings.pooling == "default":
        return None
    features = int(backbone.num_features)  # type: ignore[arg-type]
    pooling = AttentionPooling(features, int(getattr(backbone, "num_prefix_tokens", 0)))
    was_training = backbone.training
    try:
        with torch.inference_mode():
            pixels = torch.zeros(1, preprocessing.channels, preprocessing.height, preprocessing.width)
            maps = backbone.eval().forward_features(pixels)  # type: ignore[operator]
            is_supported = isinstance(maps, torch.Tensor) and maps.ndim in (3, 4) and features in maps.shape
            backbone.forward_head(pooling(maps) if is_supported else None)  # type: ignore[operator]
    except (AttributeError, TypeError, RuntimeError) as error:
        raise InputError(
            f"pooling attention: the backbone {settings.model!r} has no feature map that can be pooled ({error})"
        ) from None
    finally:
        backbone.train(was_training)
    return pooling
