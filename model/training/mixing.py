"""Mixing of the images of a batch: mixup and cutmix, by name. A further method is an entry in MIXING."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from model.errors import InputError
from model.images.inputs import PIXELS

# (images (N, channels, height, width), the partner of each (N,), share of the image itself) -> (mixed images, share)
Mix = Callable[[torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, float]]


@dataclass(frozen=True)
class MixingMethod:
    """How a batch is mixed.

    Attributes:
        mix: Mixes images with their partners. Returns the mixed images and the share that it realised.
        alpha: Default parameter of the Beta distribution that the share is drawn from.
    """

    mix: Mix
    alpha: float


def mixup(images: torch.Tensor, partner: torch.Tensor, own: float) -> tuple[torch.Tensor, float]:
    """The weighted sum of both images. Zhang et al., ICLR 2018."""
    return images * own + images[partner] * (1 - own), own


def cutmix(images: torch.Tensor, partner: torch.Tensor, own: float) -> tuple[torch.Tensor, float]:
    """A patch of area 1 - own from the partner. Yun et al., ICCV 2019."""
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
    """Mixes the images of a batch; of several methods it takes one at random for each batch.

    Attributes:
        alpha: Parameter of the Beta distribution by method, a key of MIXING.
        p: Share of the batches that are mixed.
    """

    alpha: Mapping[str, float]
    p: float

    def __call__(self, tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
        """Mixes the images of a batch with a permutation of themselves. Draws from numpy's global generator.

        Args:
            tensors: Those of network_tensors. All but `pixels` (N, channels, height, width) stay as they are.

        Returns:
            The tensors with mixed images, the partner of each image int64 (N,), and the share of the image itself.
        """
        images = tensors[PIXELS]
        partner = torch.from_numpy(np.random.permutation(len(images))).to(images.device)
        if not self.alpha or np.random.random() >= self.p:
            return dict(tensors), partner, 1.0
        method = sorted(self.alpha)[np.random.randint(len(self.alpha))]
        own = float(np.random.beta(self.alpha[method], self.alpha[method]))
        mixed, own = MIXING[method].mix(images, partner, own)
        return {**tensors, PIXELS: mixed}, partner, own


def make_mixing(named: Mapping[str, Mapping[str, Any]]) -> Mixing | None:
    """The mixing of the setting `augmentation`; None if it names no method of MIXING."""
    mixing = {name: named[name] for name in MIXING if name in named}
    for name, arguments in mixing.items():
        for key, value in arguments.items():
            if key not in ("alpha", "p") or not isinstance(value, (int, float)) or value <= 0:
                raise InputError(f"augmentation: {name} takes alpha and p above 0, not {key} = {value!r}")
            if key == "p" and value > 1:
                raise InputError(f"augmentation: {name}: p = {value!r}, expected at most 1")
    if not mixing:
        return None
    alpha = {name: float(arguments.get("alpha", MIXING[name].alpha)) for name, arguments in mixing.items()}
    return Mixing(alpha, max(float(arguments.get("p", 1.0)) for arguments in mixing.values()))
