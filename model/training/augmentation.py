"""Augmentation: random transforms of training images, by name, from torchvision v2 and timm.

To add an augmentation, add an entry to AUGMENTATIONS. Mixing of whole batches is in model.training.mixing.
"""

from __future__ import annotations

import functools
import inspect
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from model.errors import InputError, did_you_mean
from model.images.decode import MODES
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Box, Preprocessing
from model.runtime.seeding import mixed_seed, seed_all
from model.training.mixing import MIXING


@dataclass(frozen=True)
class BoxTransform:
    """Chooses the part of a decoded image that becomes the network's input. If there are several, the last one is used.

    Attributes:
        box: Returns the box of an image that is kept.
        share: Mean area of that box as a share of Preprocessing.whole_box.
    """

    box: Callable[[Image.Image], Box]
    share: float = 1.0


@dataclass(frozen=True)
class ImageTransform:
    """Changes an image after it was cropped and resized.

    Attributes:
        apply: Takes and returns a PIL image of the network's input size.
    """

    apply: Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class PixelTransform:
    """Changes the pixels as an array, after all ImageTransforms.

    Attributes:
        apply: Takes and returns uint8 (height, width, channels).
    """

    apply: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


Transform = BoxTransform | ImageTransform | PixelTransform


@dataclass(frozen=True)
class Augmentation:
    """Makes network inputs from training images with random changes, which depend only on the seed and the draw.

    Attributes:
        pipeline: Resizes images and makes the network's inputs.
        transforms: Box, image and pixel transforms; those of one kind are applied in this order.
        seed: Seed of the run.
    """

    pipeline: InputPipeline
    transforms: Sequence[Transform]
    seed: int

    @property
    def channels(self) -> int:
        """Channels that images are decoded to."""
        return self.pipeline.channels

    @property
    def pixel_range(self) -> tuple[float, ...]:
        """Values that become 0 and 255 in images of more than 8 bits per channel."""
        return self.pipeline.pixel_range

    @property
    def draft(self) -> tuple[int, int]:
        """Minimal width and height to decode a JPEG at, so that a crop of mean area is not enlarged."""
        crop = self._crop()
        if crop is None:
            return self.pipeline.draft
        preprocessing, share = self.pipeline.preprocessing, math.sqrt(crop.share)
        return math.ceil(preprocessing.width / share), math.ceil(preprocessing.height / share)

    def __call__(self, image: Image.Image, draw: int) -> Inputs:
        """Returns the inputs of a decoded image, (1, ...). Seeds the global generators.

        Args:
            image: The decoded image.
            draw: Number of this draw in the run; the same number gives the same random changes.
        """
        seed_all(mixed_seed(self.seed, 1, draw))
        return self.augment(image)

    def augment(self, image: Image.Image) -> Inputs:
        """Like __call__, but without seeding."""
        # crop and resize
        crop = self._crop()
        image = self.pipeline.preprocessing.fit_image(image, crop.box(image) if crop else None)
        # change the PIL image, then its pixels
        for transform in self.transforms:
            if isinstance(transform, ImageTransform):
                image = transform.apply(image)
        pixels = self.pipeline.preprocessing.to_pixels(image)
        for transform in self.transforms:
            if isinstance(transform, PixelTransform):
                pixels = transform.apply(pixels)
        return self.pipeline.inputs([pixels])

    def _crop(self) -> BoxTransform | None:
        """The last box transform."""
        boxes = [transform for transform in self.transforms if isinstance(transform, BoxTransform)]
        return boxes[-1] if boxes else None


def make_augmentation(named: Mapping[str, Mapping[str, Any]], pipeline: InputPipeline, seed: int) -> Augmentation:
    """Makes the augmentation that the setting `augmentation` describes.

    Args:
        named: Arguments of each transform by its name, in order. Names in MIXING are skipped; see make_mixing.
        pipeline: Resizes images and makes the network's inputs.
        seed: Seed of the run.

    Raises:
        InputError: If names or arguments are unknown (lists all, each with the nearest known one), or if the result
            cannot be an input of the network.
    """
    transforms: list[Transform] = []
    problems: list[str] = []
    for name, arguments in named.items():
        if name in MIXING:
            continue
        try:
            factory = AUGMENTATIONS.get(name) or functools.partial(torchvision_transform, name)
            transforms.append(factory(pipeline.preprocessing, **arguments))
        except (TypeError, ValueError, KeyError, AssertionError, InputError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise InputError("augmentation:\n" + "\n".join(f"  {problem}" for problem in problems))
    augmentation = Augmentation(pipeline, tuple(transforms), seed)
    _try(augmentation)
    return augmentation


def _try(augmentation: Augmentation) -> None:
    """Augments one blank image as a check. Restores the states of the random generators.

    Raises:
        InputError: If the result cannot be an input of the network.
    """
    preprocessing = augmentation.pipeline.preprocessing
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    size = (2 * preprocessing.width, 2 * preprocessing.height)
    try:
        augmentation.augment(Image.new(MODES[preprocessing.channels], size))
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"augmentation: the augmented image cannot be an input of the network: {error}") from None
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def random_resized_crop(preprocessing: Preprocessing, scale: Any = (0.7, 1.0), ratio: Any = (0.9, 1.11)) -> Transform:
    """Crops a random box from inside `Preprocessing.whole_box`, the largest box with the shape of the network's input.

    Args:
        preprocessing: Defines the whole box.
        scale: Lowest and highest area, as a share of the whole box.
        ratio: Lowest and highest aspect ratio, relative to the whole box.

    Raises:
        ValueError: If a range is invalid.
    """
    (low, high), (narrow, wide) = map(float, scale), map(float, ratio)
    if not 0 < low <= high <= 1 or not 0 < narrow <= wide:
        raise ValueError(
            f"scale {list(scale)}: expected two increasing numbers above 0 and at most 1; "
            f"ratio {list(ratio)}: expected two increasing numbers above 0"
        )
    return BoxTransform(functools.partial(_random_box, preprocessing, (low, high), (narrow, wide)), (low + high) / 2)


def _random_box(
    preprocessing: Preprocessing, scale: tuple[float, float], ratio: tuple[float, float], image: Image.Image
) -> Box:
    """A box of random area, aspect ratio (both relative to the whole box) and position in the whole box."""
    left, upper, right, lower = preprocessing.whole_box(*image.size)
    area = scale[0] + (scale[1] - scale[0]) * random.random()
    aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
    width = min(1.0, math.sqrt(area * aspect)) * (right - left)
    height = min(1.0, math.sqrt(area / aspect)) * (lower - upper)
    left += (right - left - width) * random.random()
    upper += (lower - upper - height) * random.random()
    return left, upper, left + width, upper + height


def timm_policy(preprocessing: Preprocessing, policy: str = "rand-m9-mstd0.5") -> Transform:
    """One of timm's augmentation policies, by timm's string for it, such as rand-m9-mstd0.5, augmix-m3 or original."""
    from timm.data.auto_augment import (
        augment_and_mix_transform,
        auto_augment_transform,
        rand_augment_transform,
    )

    colour = preprocessing.fill()
    hparams = {"img_mean": colour, "translate_const": int(min(preprocessing.height, preprocessing.width) * 0.45)}
    factories = {"rand": rand_augment_transform, "augmix": augment_and_mix_transform}
    return ImageTransform(factories.get(policy.split("-")[0], auto_augment_transform)(policy, hparams))


def torchvision_transform(class_name: str, preprocessing: Preprocessing, /, **arguments: Any) -> Transform:
    """A transform of torchvision v2.

    Args:
        class_name: Name of its class.
        preprocessing: Its mean colour fills the areas that a transform leaves empty.
        arguments: Arguments of the class.

    Raises:
        InputError: If the class or one of the arguments is unknown; the message has the nearest known one.
    """
    classes = {key: cls for key, cls in vars(v2).items() if inspect.isclass(cls) and issubclass(cls, v2.Transform)}
    if class_name not in classes or class_name == "RandomResizedCrop":
        names = [*AUGMENTATIONS, *MIXING, *classes]
        raise InputError(f"there is no such augmentation{did_you_mean(class_name, names)}")
    parameters = inspect.signature(classes[class_name]).parameters
    for key in arguments:
        if key not in parameters:
            known = f"{', '.join(parameters)}{did_you_mean(key, parameters)}"
            raise InputError(f"{class_name} has no argument {key!r}; expected one of {known}")
    fill = preprocessing.fill()
    if "fill" in parameters:
        arguments.setdefault("fill", list(fill) if isinstance(fill, tuple) else fill)
    if class_name == "RandomErasing":
        arguments.setdefault("value", list(fill) if isinstance(fill, tuple) else fill)
    if class_name == "AutoAugment" and isinstance(arguments.get("policy"), str):
        arguments["policy"] = v2.AutoAugmentPolicy(arguments["policy"])
    transform = classes[class_name](**arguments)
    if class_name == "RandomErasing":  # works on tensors only, not on PIL images
        return PixelTransform(functools.partial(_on_tensor, transform))
    return ImageTransform(cast(Callable[[Image.Image], Image.Image], transform))


def _on_tensor(transform: v2.Transform, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Applies a transform for tensors (channels, height, width) to an array (height, width, channels)."""
    changed: torch.Tensor = transform(torch.from_numpy(pixels).permute(2, 0, 1))
    return changed.permute(1, 2, 0).numpy()


# A factory makes a transform from the preprocessing and the arguments in the setting. A name that is not in
# AUGMENTATIONS is looked up among torchvision's v2 transforms.
Factory = Callable[..., Transform]  # (preprocessing, **arguments)
AUGMENTATIONS: dict[str, Factory] = {
    "flip": functools.partial(torchvision_transform, "RandomHorizontalFlip"),
    "vertical_flip": functools.partial(torchvision_transform, "RandomVerticalFlip"),
    "colour": functools.partial(torchvision_transform, "ColorJitter", brightness=0.2, contrast=0.2, saturation=0.2),
    "grey": functools.partial(torchvision_transform, "RandomGrayscale"),
    "blur": functools.partial(torchvision_transform, "GaussianBlur", kernel_size=3),
    "rotation": functools.partial(torchvision_transform, "RandomRotation", degrees=10),
    "affine": functools.partial(
        torchvision_transform, "RandomAffine", degrees=10, translate=[0.1, 0.1], scale=[0.9, 1.1]
    ),
    "perspective": functools.partial(torchvision_transform, "RandomPerspective"),
    "randaugment": functools.partial(torchvision_transform, "RandAugment"),
    "trivialaugment": functools.partial(torchvision_transform, "TrivialAugmentWide"),
    "autoaugment": functools.partial(torchvision_transform, "AutoAugment"),
    "augmix": functools.partial(torchvision_transform, "AugMix"),
    "erasing": functools.partial(torchvision_transform, "RandomErasing", p=0.25),
    "random_resized_crop": random_resized_crop,
    "timm": timm_policy,
}
