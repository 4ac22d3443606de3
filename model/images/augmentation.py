"""Random changes of training pictures, by name with arguments, from torchvision's v2 transforms and timm."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from model.errors import InputError, did_you_mean
from model.images.preprocessing import Preprocessing

BY_NAME: dict[str, str] = {
    "flip": "RandomHorizontalFlip",
    "vertical_flip": "RandomVerticalFlip",
    "colour": "ColorJitter",
    "grey": "RandomGrayscale",
    "blur": "GaussianBlur",
    "rotation": "RandomRotation",
    "affine": "RandomAffine",
    "perspective": "RandomPerspective",
    "randaugment": "RandAugment",
    "trivialaugment": "TrivialAugmentWide",
    "autoaugment": "AutoAugment",
    "augmix": "AugMix",
    "erasing": "RandomErasing",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "colour": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    "blur": {"kernel_size": 3},
    "rotation": {"degrees": 10},
    "affine": {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1]},
    "erasing": {"p": 0.25},
}
CROP = "random_resized_crop"
MIXING = ("mixup", "cutmix")
TIMM = "timm"  # its argument `policy` is one of timm's strings: rand-m9-mstd0.5, augmix-m3, original


@dataclass(frozen=True)
class Augmentation:
    """crop: scale and ratio of RandomResizedCrop, cut from the whole fitted part, None: what prediction sees;
    on_picture: applied to the fitted PIL picture; on_pixels: to its uint8 tensor (channels, height, width)."""

    preprocessing: Preprocessing
    crop: tuple[tuple[float, float], tuple[float, float]] | None
    on_picture: tuple[Callable[[Image.Image], Image.Image], ...]
    on_pixels: tuple[Callable[[torch.Tensor], torch.Tensor], ...]

    @property
    def draft(self) -> tuple[int, int]:
        """Width and height that a JPEG must at least be decoded at: the middle of the crops is not enlarged."""
        if self.crop is None:
            return self.preprocessing.draft
        share = math.sqrt(sum(self.crop[0]) / 2)
        return math.ceil(self.preprocessing.width / share), math.ceil(self.preprocessing.height / share)

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """uint8 (height, width, channels). Draws from the global generators that seed_all seeds."""
        box = self._crop_box(picture) if self.crop else None
        picture = self.preprocessing.fitted(picture, box)
        for change in self.on_picture:
            picture = change(picture)
        pixels = self.preprocessing.pixels(picture)
        for erase in self.on_pixels:
            pixels = erase(pixels.permute(2, 0, 1)).permute(1, 2, 0)
        return pixels

    def _crop_box(self, picture: Image.Image) -> tuple[float, float, float, float]:
        """Of random area (scale, of what preprocessing takes) and random shape (ratio, of its own), anywhere in it."""
        assert self.crop is not None
        left, upper, right, lower = self.preprocessing.whole_box(*picture.size)
        (low, high), (narrow, wide) = self.crop
        area = low + (high - low) * random.random()
        ratio = math.exp(random.uniform(math.log(narrow), math.log(wide)))
        width = min(1.0, math.sqrt(area * ratio)) * (right - left)
        height = min(1.0, math.sqrt(area / ratio)) * (lower - upper)
        left += (right - left - width) * random.random()
        upper += (lower - upper - height) * random.random()
        return left, upper, left + width, upper + height


@dataclass(frozen=True)
class Mixing:
    """mixup (Zhang et al., ICLR 2018) and cutmix (Yun et al., ICCV 2019) of a batch with itself, one of them at
    random where both are given. alpha: of the Beta distribution; p: share of batches that are mixed."""

    alpha: Mapping[str, float]
    p: float

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
        """(mixed batch, partner of each picture int64 (N,), share of the picture itself). Draws from numpy's
        global generator."""
        partner = torch.from_numpy(np.random.permutation(len(batch))).to(batch.device)
        if not self.alpha or np.random.random() >= self.p:
            return batch, partner, 1.0
        how = sorted(self.alpha)[np.random.randint(len(self.alpha))]
        own = float(np.random.beta(self.alpha[how], self.alpha[how]))
        if how == "mixup":
            return batch * own + batch[partner] * (1 - own), partner, own
        height, width = batch.shape[-2:]
        cut_height, cut_width = round(height * math.sqrt(1 - own)), round(width * math.sqrt(1 - own))
        upper = np.random.randint(height - cut_height + 1)
        left = np.random.randint(width - cut_width + 1)
        patch = (..., slice(upper, upper + cut_height), slice(left, left + cut_width))
        mixed = batch.clone()
        mixed[patch] = batch[partner][patch]
        return mixed, partner, 1 - cut_height * cut_width / (height * width)


def make_augmentation(named: Mapping[str, Mapping[str, Any]], preprocessing: Preprocessing) -> Augmentation:
    """From the setting `augmentation`. InputError names what there is no such change or argument of."""
    crop = None
    on_picture: list[Any] = []
    on_pixels: list[Any] = []
    faults: list[str] = []
    for name, arguments in named.items():
        try:
            if name == CROP:
                crop = _crop(**arguments)
            elif name == TIMM:
                on_picture.append(_timm_policy(preprocessing, **arguments))
            elif name not in MIXING:
                change = _transform(name, arguments, preprocessing)
                (on_pixels if isinstance(change, v2.RandomErasing) else on_picture).append(change)
        except (TypeError, ValueError, KeyError, AssertionError, InputError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise InputError("augmentation:\n" + "\n".join(f"  {fault}" for fault in faults))
    made = Augmentation(preprocessing, crop, tuple(on_picture), tuple(on_pixels))
    _try(made)
    return made


def _try(augmentation: Augmentation) -> None:
    """InputError where what comes out of it is no picture that the network takes."""
    preprocessing = augmentation.preprocessing
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    size = (2 * preprocessing.width, 2 * preprocessing.height)
    try:
        augmentation(Image.new("RGB" if preprocessing.channels == 3 else "L", size))
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"augmentation: the network cannot take what comes out of it: {error}") from None
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def make_mixing(named: Mapping[str, Mapping[str, Any]]) -> Mixing | None:
    """From the setting `augmentation`; None where it mixes nothing."""
    chosen = {name: named[name] for name in MIXING if name in named}
    for name, arguments in chosen.items():
        for key, value in arguments.items():
            if key not in ("alpha", "p") or not isinstance(value, (int, float)) or value <= 0:
                raise InputError(f"augmentation: {name} takes alpha and p above 0, not {key} = {value!r}")
            if key == "p" and value > 1:
                raise InputError(f"augmentation: {name}: p = {value!r}, expected at most 1")
    if not chosen:
        return None
    alpha = {
        name: float(arguments.get("alpha", 1.0 if name == "cutmix" else 0.2)) for name, arguments in chosen.items()
    }
    return Mixing(alpha, max(float(arguments.get("p", 1.0)) for arguments in chosen.values()))


def _crop(scale: Any = (0.7, 1.0), ratio: Any = (0.9, 1.11)) -> tuple[tuple[float, float], tuple[float, float]]:
    (low, high), (narrow, wide) = map(float, scale), map(float, ratio)
    if not 0 < low <= high <= 1 or not 0 < narrow <= wide:
        raise ValueError(
            f"scale {list(scale)} lies from above 0 to 1 and rises; ratio {list(ratio)} is above 0 and rises"
        )
    return (low, high), (narrow, wide)


def _transform(name: str, arguments: Mapping[str, Any], preprocessing: Preprocessing) -> Any:
    known = {key: kind for key, kind in vars(v2).items() if inspect.isclass(kind) and issubclass(kind, v2.Transform)}
    title = BY_NAME.get(name, name)
    if title not in known or title == "RandomResizedCrop":
        names = [*BY_NAME, CROP, *MIXING, TIMM, *known]
        raise InputError(f"there is no such change{did_you_mean(name, names)}")
    takes = inspect.signature(known[title]).parameters
    made = {**DEFAULTS.get(name, {}), **arguments}
    for key in made:
        if key not in takes:
            raise InputError(f"{title} has no argument {key!r}, it takes {', '.join(takes)}{did_you_mean(key, takes)}")
    if "fill" in takes and "fill" not in made:
        fill = preprocessing.fill()
        made["fill"] = list(fill) if isinstance(fill, tuple) else fill
    if title == "RandomErasing" and "value" not in made:
        fill = preprocessing.fill()
        made["value"] = list(fill) if isinstance(fill, tuple) else fill
    if title == "AutoAugment" and isinstance(made.get("policy"), str):
        made["policy"] = v2.AutoAugmentPolicy(made["policy"])
    return known[title](**made)


def _timm_policy(preprocessing: Preprocessing, policy: str = "rand-m9-mstd0.5") -> Any:
    from timm.data.auto_augment import (
        augment_and_mix_transform,
        auto_augment_transform,
        rand_augment_transform,
    )

    colour = preprocessing.fill()
    hparams = {"img_mean": colour, "translate_const": int(min(preprocessing.height, preprocessing.width) * 0.45)}
    make = {"rand": rand_augment_transform, "augmix": augment_and_mix_transform}
    return make.get(policy.split("-")[0], auto_augment_transform)(policy, hparams)
