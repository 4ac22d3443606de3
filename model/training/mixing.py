"""Mixing of the images of a batch: mixup, cutmix and half_cutmix, by name. To add a method, add an entry to MIXING."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.errors import InputError, did_you_mean, listing
from model.images.inputs import PIXELS

ARGUMENTS = {"alpha": "a number above 0", "p": "a number above 0", "rare": "a number from 0 to 1"}  # of every method

# (images (N, channels, height, width), partner of each (N,), share of the own image) -> (mixed images, actual share)
Mix = Callable[[torch.Tensor, torch.Tensor, float], tuple[torch.Tensor, float]]


@dataclass(frozen=True)
class MixingMethod:
    """How a batch is mixed.

    Attributes:
        mix: Mixes images with their partners. Returns the mixed images and the actual share of the own image, which
            cutmix and half_cutmix round to whole pixels.
        alpha: Default parameter of the Beta distribution of this share; infinite: the share is 0.5.
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


def half_cutmix(images: torch.Tensor, partner: torch.Tensor, own: float) -> tuple[torch.Tensor, float]:
    """Replaces the left or the right part, 1 - own of the width, by the partner's; which of them is random."""
    width = images.shape[-1]
    cut = round(width * (1 - own))
    left = np.random.randint(2) * (width - cut)
    part = (..., slice(left, left + cut))
    mixed = images.clone()
    mixed[part] = images[partner][part]
    return mixed, 1 - cut / width


MIXING: dict[str, MixingMethod] = {
    "mixup": MixingMethod(mixup, alpha=0.2),
    "cutmix": MixingMethod(cutmix, alpha=1.0),
    "half_cutmix": MixingMethod(half_cutmix, alpha=math.inf),
}


@dataclass(frozen=True)
class Mixing:
    """Mixes the images of a batch. If there are several methods, one is drawn at random for each batch.

    Attributes:
        alpha: Parameter of the Beta distribution for each method, a key of MIXING.
        p: Share of the batches that are mixed.
        rare: How much each method prefers partners of rare classes, from 0 to 1; see rare_partners. A method without
            an entry has 0: the partners are a random permutation of the batch.
    """

    alpha: Mapping[str, float]
    p: float
    rare: Mapping[str, float] = field(default_factory=dict)

    def __call__(
        self, tensors: Mapping[str, torch.Tensor], classes: Sequence[torch.Tensor] = ()
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
        """Mixes each image of a batch with another one. Draws from numpy's global generator.

        Args:
            tensors: Output of network_tensors. Only `pixels` (N, channels, height, width) are changed.
            classes: Class of each image for each head, integers (N,) each. Only used if a method has `rare`.

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
        alpha, rare = self.alpha[method], self.rare.get(method, 0.0)
        own = 0.5 if math.isinf(alpha) else float(np.random.beta(alpha, alpha))
        if rare:
            partner = torch.from_numpy(rare_partners(classes, rare)).to(images.device)
        mixed, own = MIXING[method].mix(images, partner, own)
        return {**tensors, PIXELS: mixed}, partner, own


def rare_partners(classes: Sequence[torch.Tensor], rare: float) -> NDArray[np.int64]:
    """Draws a partner for each image of a batch, with replacement, from numpy's global generator. Returns int64 (N,).

    An image is drawn in proportion to 1 / n^rare, where n is the number of images of its class in the batch: with 1
    every class of the batch is drawn equally often, with 0 every image. With several heads, a class is a combination of
    their classes; a missing label counts as a class.

    Args:
        classes: Class of each image for each head, integers (N,) each.
        rare: The exponent, from 0 to 1.
    """
    combinations = torch.stack(list(classes), 1).cpu().numpy()
    _, numbers, counts = np.unique(combinations, axis=0, return_inverse=True, return_counts=True)
    weights = 1 / counts[numbers.ravel()].astype(np.float64) ** rare
    return np.random.choice(len(weights), len(weights), p=weights / weights.sum()).astype(np.int64)


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
            if key not in ARGUMENTS:
                near = did_you_mean(key, ARGUMENTS)
                raise InputError(f"augmentation: {name}: {key} = {value!r}; expected one of {listing(ARGUMENTS)}{near}")
            is_number = isinstance(value, (int, float)) and not math.isnan(value)
            if not is_number or value < 0 or (key != "rare" and not value):
                raise InputError(f"augmentation: {name}: {key} = {value!r}; expected {ARGUMENTS[key]}")
            if key != "alpha" and value > 1:
                raise InputError(f"augmentation: {name}: {key} = {value!r}; expected at most 1")
    if not mixing:
        return None
    alpha = {name: float(arguments.get("alpha", MIXING[name].alpha)) for name, arguments in mixing.items()}
    rare = {name: float(arguments["rare"]) for name, arguments in mixing.items() if "rare" in arguments}
    return Mixing(alpha, max(float(arguments.get("p", 1.0)) for arguments in mixing.values()), rare)
