"""Mixing of the images of a batch: mixup and cutmix, by name. To add a method, add an entry to MIXING."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from model.errors import InputError
from model.images.inputs import PIXELS

# (images (N, channels, height, width), partner of each (N,), share of the own image) -> (mixed images, actual share)
Mix = Callable[[torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, float]]


@dataclass(frozen=True)
class MixingMethod:
    """How a batch is mixed.

    Attributes:
        mix: Mixes images with their partners. Returns the mixed images and the actual share of the own image, which
            cutmix rounds to whole pixels.
        alpha: Default parameter of the Beta distribution of this share.
    """

    mix: Mix
    alpha: float


def mixup(images: torch.Tensor, partner: torch.Tensor, own: float) -> tuple[torch.Tensor, float]:
    """The weighted sum of both images. Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018."""
    return images * own + images[partner] * (1 - own), own


def cutmix(images: torch.Tensor, partner: torch.Tensor, own: float) -> tuple[torch.Tensor, float]:
    """Replaces a random patch, 1 - own of the area, by the partner's. Yun et al., CutMix, ICCV 2019."""
    height, width = images.shape[-2:]
    cut_height, cut_width = round(height * math.sqrt(1 - own)), round(width * math.sqrt(1 - own))
    upper = np.random.randint(height - cut_height + 1)
    left = np.random.randint(width - cut_width + 1)
    patch = (..., slice(upper, upper + cut_height), slice(left, left + cut_width))
    mixed = images.clone()
    mixed[patch] = images[partner][patch]
    return mixed, 1 - cut_height * cut_width / (height * width)


MIXING: dict[str, MixingMethod] = {"mixup": MixingMethod(mixup, alpha=0.2), "cutmix": MixingMethod(cutmix, alpha=1.0)}


@dataclass(frozen=True)
class Mixing:
    """Mixes the images of a batch. If there are several methods, one is drawn at random for each batch.

    Attributes:
        alpha: Parameter of the Beta distribution for each method, a key of MIXING.
        p: Share of the batches that are mixed.
    """

    alpha: Mapping[str, float]
    p: float

    def __call__(self, tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
        """Mixes each image of a batch with another one. Draws from numpy's global generator.

        Args:
            tensors: Output of network_tensors. Only `pixels` (N, channels, height, width) are changed.

        Returns:
            The tensors with mixed images, the index of each image's partner, int64 (N,), and the own image's share.
        """
        images = tensors[PIXELS]
        # partners are a random permutation of the batch
        partner = torch.from_numpy(np.random.permutation(len(images))).to(images.device)
        if not self.alpha or np.random.random() >= self.p:
            return dict(tensors), partner, 1.0
        # draw the method and the share of the own image
        method = sorted(self.alpha)[np.random.randint(len(self.alpha))]
        own = float(np.random.beta(self.alpha[method], self.alpha[method]))
        mixed, own = MIXING[method].mix(images, partner, own)
        return {**tensors, PIXELS: mixed}, partner, own


def make_mixing(named: Mapping[str, Mapping[str, Any]]) -> Mixing | None:
    """Makes the mixing that the setting `augmentation` describes; None if it has no method of MIXING.

    Args:
        named: Arguments of each augmentation by its name.

    Raises:
        InputError: If an argument is unknown or out of range.
    """
    mixing = {name: named[name] for name in MIXING if name in named}
    for name, arguments in mixing.items():
        for key, value in arguments.items():
            if key not in ("alpha", "p") or not isinstance(value, (int, float)) or value <= 0:
                raise InputError(f"augmentation: {name}: {key} = {value!r}; expected alpha or p, above 0")
            if key == "p" and value > 1:
                raise InputError(f"augmentation: {name}: p = {value!r}; expected at most 1")
    if not mixing:
        return None
    alpha = {name: float(arguments.get("alpha", MIXING[name].alpha)) for name, arguments in mixing.items()}
    return Mixing(alpha, max(float(arguments.get("p", 1.0)) for arguments in mixing.values()))
