"""Augmentation: random transforms of training images, by name, from torchvision v2 and timm; mixup and cutmix."""

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

TRANSFORMS: dict[str, str] = {  # torchvision v2's classes by the names of the setting
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
DEFAULTS: dict[str, dict[str, Any]] = {  # arguments by the names of the setting
    "colour": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    "blur": {"kernel_size": 3},
    "rotation": {"degrees": 10},
    "affine": {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1]},
    "erasing": {"p": 0.25},
}
CROP = "random_resized_crop"
MIXING = ("mixup", "cutmix")
TIMM = "timm"  # its argument `policy` is a string of timm's: rand-m9-mstd0.5, augmix-m3, original


@dataclass(frozen=True)
class Augmentation:
    """Fits training images to the network's input with random changes.

    Attributes:
        preprocessing: Fits images, and fills where transforms leave gaps.
        crop: Ranges of area and aspect ratio of a random crop; None for the crop that prediction takes.
        image_transforms: Applied in order to the fitted PIL image.
        pixel_transforms: Applied after them to the pixels, uint8 (channels, height, width).
    """

    preprocessing: Preprocessing
    crop: tuple[tuple[float, float], tuple[float, float]] | None
    image_transforms: tuple[Callable[[Image.Image], Image.Image], ...]
    pixel_transforms: tuple[Callable[[torch.Tensor], torch.Tensor], ...]

    @property
    def draft(self) -> tuple[int, int]:
        """Minimal width and height at which a JPEG has to be decoded, so that a crop of mean area is not enlarged."""
        if self.crop is None:
            return self.preprocessing.draft
        share = math.sqrt(sum(self.crop[0]) / 2)
        return math.ceil(self.preprocessing.width / share), math.ceil(self.preprocessing.height / share)

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The pixels of a decoded image, uint8 (height, width, channels). Draws from the global generators."""
        box = self._crop_box(image) if self.crop else None
        image = self.preprocessing.fit_image(image, box)
        for transform in self.image_transforms:
            image = transform(image)
        pixels = self.preprocessing.to_pixels(image)
        for erase in self.pixel_transforms:
            pixels = erase(pixels.permute(2, 0, 1)).permute(1, 2, 0)
        return pixels

    def _crop_box(self, image: Image.Image) -> tuple[float, float, float, float]:
        """A box of random area and aspect ratio (both relative to the whole box of preprocessing) anywhere in it."""
        assert self.crop is not None
        left, upper, right, lower = self.preprocessing.whole_box(*image.size)
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
    """mixup (Zhang et al., ICLR 2018) and cutmix (Yun et al., ICCV 2019) of the images of a batch; where both are set,
    one of them at random for each batch.

    Attributes:
        alpha: Parameter of the Beta distribution, for mixup, cutmix or both.
        p: Share of the batches that are mixed.
    """

    alpha: Mapping[str, float]
    p: float

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Mixes a batch (N, channels, height, width) with a permutation of itself. Draws from numpy's global generator.

        Returns:
            The mixed batch, the partner of each image int64 (N,), and the share of the image itself.
        """
        partner = torch.from_numpy(np.random.permutation(len(batch))).to(batch.device)
        if not self.alpha or np.random.random() >= self.p:
            return batch, partner, 1.0
        method = sorted(self.alpha)[np.random.randint(len(self.alpha))]
        own = float(np.random.beta(self.alpha[method], self.alpha[method]))
        if method == "mixup":
            return batch * own + batch[partner] * (1 - own), partner, own
        # cutmix: a patch of area 1 - own from the partner
        height, width = batch.shape[-2:]
        cut_height, cut_width = round(height * math.sqrt(1 - own)), round(width * math.sqrt(1 - own))
        upper = np.random.randint(height - cut_height + 1)
        left = np.random.randint(width - cut_width + 1)
        patch = (..., slice(upper, upper + cut_height), slice(left, left + cut_width))
        mixed = batch.clone()
        mixed[patch] = batch[partner][patch]
        return mixed, partner, 1 - cut_height * cut_width / (height * width)


def make_augmentation(named: Mapping[str, Mapping[str, Any]], preprocessing: Preprocessing) -> Augmentation:
    """The augmentation of the setting `augmentation`.

    Args:
        named: Arguments by the name of each transform, in order; mixup and cutmix are left to make_mixing.
        preprocessing: Fits the images.

    Raises:
        InputError: Lists unknown names and arguments, each with the nearest; or the network cannot take the result.
    """
    crop = None
    image_transforms: list[Any] = []
    pixel_transforms: list[Any] = []
    problems: list[str] = []
    for name, arguments in named.items():
        try:
            if name == CROP:
                crop = _crop(**arguments)
            elif name == TIMM:
                image_transforms.append(_timm_policy(preprocessing, **arguments))
            elif name not in MIXING:
                transform = _transform(name, arguments, preprocessing)
                (pixel_transforms if isinstance(transform, v2.RandomErasing) else image_transforms).append(transform)
        except (TypeError, ValueError, KeyError, AssertionError, InputError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise InputError("augmentation:\n" + "\n".join(f"  {problem}" for problem in problems))
    augmentation = Augmentation(preprocessing, crop, tuple(image_transforms), tuple(pixel_transforms))
    _try(augmentation)
    return augmentation


def _try(augmentation: Augmentation) -> None:
    """Augments one image. InputError if the result cannot be an input of the network. Generators keep their states."""
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
    """The mixing of the setting `augmentation`; None if it has neither mixup nor cutmix."""
    mixing = {name: named[name] for name in MIXING if name in named}
    for name, arguments in mixing.items():
        for key, value in arguments.items():
            if key not in ("alpha", "p") or not isinstance(value, (int, float)) or value <= 0:
                raise InputError(f"augmentation: {name} takes alpha and p above 0, not {key} = {value!r}")
            if key == "p" and value > 1:
                raise InputError(f"augmentation: {name}: p = {value!r}, expected at most 1")
    if not mixing:
        return None
    alpha = {
        name: float(arguments.get("alpha", 1.0 if name == "cutmix" else 0.2)) for name, arguments in mixing.items()
    }
    return Mixing(alpha, max(float(arguments.get("p", 1.0)) for arguments in mixing.values()))


def _crop(scale: Any = (0.7, 1.0), ratio: Any = (0.9, 1.11)) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ranges of a random crop from the arguments of random_resized_crop."""
    (low, high), (narrow, wide) = map(float, scale), map(float, ratio)
    if not 0 < low <= high <= 1 or not 0 < narrow <= wide:
        raise ValueError(
            f"scale {list(scale)} lies from above 0 to 1 and rises; ratio {list(ratio)} is above 0 and rises"
        )
    return (low, high), (narrow, wide)


def _transform(name: str, arguments: Mapping[str, Any], preprocessing: Preprocessing) -> Any:
    """A transform of torchvision v2 by a name in TRANSFORMS or that of its class; gaps get the mean colour."""
    classes = {key: cls for key, cls in vars(v2).items() if inspect.isclass(cls) and issubclass(cls, v2.Transform)}
    class_name = TRANSFORMS.get(name, name)
    if class_name not in classes or class_name == "RandomResizedCrop":
        names = [*TRANSFORMS, CROP, *MIXING, TIMM, *classes]
        raise InputError(f"there is no such change{did_you_mean(name, names)}")
    parameters = inspect.signature(classes[class_name]).parameters
    values = {**DEFAULTS.get(name, {}), **arguments}
    for key in values:
        if key not in parameters:
            known = f"{', '.join(parameters)}{did_you_mean(key, parameters)}"
            raise InputError(f"{class_name} has no argument {key!r}, it takes {known}")
    fill = preprocessing.fill()
    if "fill" in parameters:
        values.setdefault("fill", list(fill) if isinstance(fill, tuple) else fill)
    if class_name == "RandomErasing":
        values.setdefault("value", list(fill) if isinstance(fill, tuple) else fill)
    if class_name == "AutoAugment" and isinstance(values.get("policy"), str):
        values["policy"] = v2.AutoAugmentPolicy(values["policy"])
    return classes[class_name](**values)


def _timm_policy(preprocessing: Preprocessing, policy: str = "rand-m9-mstd0.5") -> Any:
    """One of timm's augmentation policies."""
    from timm.data.auto_augment import (
        augment_and_mix_transform,
        auto_augment_transform,
        rand_augment_transform,
    )

    colour = preprocessing.fill()
    hparams = {"img_mean": colour, "translate_const": int(min(preprocessing.height, preprocessing.width) * 0.45)}
    factories = {"rand": rand_augment_transform, "augmix": augment_and_mix_transform}
    return factories.get(policy.split("-")[0], auto_augment_transform)(policy, hparams)
