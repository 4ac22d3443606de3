"""Preprocessing: fits a decoded image to the network's input size, and has the constants of normalisation.

Imports no torch; model.network.tensors normalises.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import InputError, did_you_mean, listing
from model.images.decode import MODES
from model.settings.choices import FITS, INTERPOLATIONS

RESAMPLING = {name: Image.Resampling[name.upper()] for name in INTERPOLATIONS}

Box = tuple[float, float, float, float]  # left, upper, right, lower, in pixels of the image


@dataclass(frozen=True)
class Preprocessing:
    """Fits images to the network's input size, and has the constants of normalisation.

    Attributes:
        height: Height of the network's input in pixels.
        width: Width of the network's input in pixels.
        channels: 3 for RGB, 1 for grey, 4 for images of four channels.
        fit: How to fit an image of another aspect ratio: crop (cut out its centre), stretch or pad.
        crop_pct: Share of the height and width of the fitted image that is kept, at its centre.
        interpolation: A key of RESAMPLING.
        mean: Mean per channel, for pixels from 0 to 1; empty: each image is normalised by its own mean and std.
        std: Standard deviation per channel; empty like mean.
        pixel_range: Values that become 0 and 255 in images of more than 8 bits per channel. Empty if the training data
            had no such images or the model was saved by an earlier version: each image is scaled by its own extremes.
    """

    height: int
    width: int
    channels: int = 3
    fit: str = "crop"
    crop_pct: float = 1.0
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    pixel_range: tuple[float, ...] = ()

    @property
    def draft(self) -> tuple[int, int]:
        """Minimum width and height at which a JPEG must be decoded."""
        return round(self.width / self.crop_pct), round(self.height / self.crop_pct)

    def box(self, width: int, height: int, zoom: float = 1.0, right: float = 0.5, down: float = 0.5) -> Box:
        """The part of an image that becomes the network's input, by fit and crop_pct.

        With fit `pad` it may be larger than the image.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.
            zoom: Share of the part's height and width that a view uses.
            right: Position of the view in the part, from 0 (left) to 1 (right).
            down: Position of the view in the part, from 0 (top) to 1 (bottom).
        """
        whole_left, whole_upper, whole_right, whole_lower = self.whole_box(width, height)
        box_width, box_height = (whole_right - whole_left) * self.crop_pct, (whole_lower - whole_upper) * self.crop_pct
        left = (width - box_width) / 2 + box_width * (1 - zoom) * right
        upper = (height - box_height) / 2 + box_height * (1 - zoom) * down
        return left, upper, left + box_width * zoom, upper + box_height * zoom

    def whole_box(self, width: int, height: int) -> Box:
        """The box by `fit` alone, without crop_pct. Random crops are cut from it."""
        box_width, box_height = float(width), float(height)
        if self.fit != "stretch":
            scale = (min if self.fit == "crop" else max)(width / self.width, height / self.height)
            box_width, box_height = self.width * scale, self.height * scale
        left, upper = (width - box_width) / 2, (height - box_height) / 2
        return left, upper, left + box_width, upper + box_height

    def fit_image(self, image: Image.Image, box: Box | None = None) -> Image.Image:
        """Crops and resizes an image to the network's input size, with anti-aliasing.

        Args:
            image: A decoded image in the mode of `channels`.
            box: The part to use; default: that of `box`. Outside the image it is filled with the mean colour.
        """
        box = box or self.box(*image.size)
        if box[0] < 0 or box[1] < 0 or box[2] > image.width or box[3] > image.height:
            # pad: paste the image on a canvas that contains the box
            left, upper = math.floor(min(box[0], 0)), math.floor(min(box[1], 0))
            right, lower = math.ceil(max(box[2], image.width)), math.ceil(max(box[3], image.height))
            canvas = Image.new(image.mode, (right - left, lower - upper), self.fill(image.mode))
            canvas.paste(image, (-left, -upper))
            image, box = canvas, (box[0] - left, box[1] - upper, box[2] - left, box[3] - upper)
        size = (self.width, self.height)
        if image.size == size and box == (0, 0, *size):
            return image
        box = (box[0], box[1], min(box[2], image.width), min(box[3], image.height))  # rounding errors of floats
        return image.resize(size, RESAMPLING[self.interpolation], box=box)

    def fill(self, mode: str = "RGB") -> int | tuple[int, ...]:
        """The mean colour, from 0 to 255, as PIL expects it. Normalisation maps it to 0."""
        mean = self.mean or (0.5,) * self.channels
        colour = tuple(round(255 * value) for value in mean)
        return colour[0] if mode == "L" else colour

    def to_pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Converts a fitted image to uint8 (height, width, channels)."""
        return np.array(image, dtype=np.uint8).reshape(self.height, self.width, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """The content of preprocessing.json. An empty pixel_range is omitted, as in files of earlier versions."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        if not self.pixel_range:
            del values["pixel_range"]
        return values

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Preprocessing:
        """The inverse of to_dict. Raises InputError that lists each invalid field with its value."""
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()
            }
            loaded = cls(**values)
        except (TypeError, AttributeError) as error:
            raise InputError(f"invalid preprocessing: {error}") from None
        if problems := list(loaded._problems()):
            raise InputError(f"invalid preprocessing: {'; '.join(problems)}")
        return loaded

    def _problems(self) -> Iterator[str]:
        """Yields a sentence for each invalid field."""
        for name, known in (("channels", MODES), ("fit", FITS), ("interpolation", RESAMPLING)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in known:
                close = did_you_mean(value, map(str, known)) if isinstance(value, str) else ""
                yield f"{name} = {value!r}, expected one of {listing(known)}{close}"
        for name in ("height", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield f"{name} = {value!r}, expected a whole number of pixels, at least 1"
        if not (_is_number(self.crop_pct) and 0 < self.crop_pct <= 1):
            yield f"crop_pct = {self.crop_pct!r}, expected a number above 0 and at most 1"
        for name, low, expected in (("mean", -math.inf, "numbers"), ("std", 0.0, "numbers above 0")):
            value = getattr(self, name)
            valid = isinstance(value, tuple) and all(_is_number(number) and number > low for number in value)
            if not valid or len(value) not in (0, self.channels) or len(value) != _length(self.mean):
                yield f"{name} = {value!r}, expected {expected}, one per channel, or mean and std both empty"
        bounds = self.pixel_range
        if not isinstance(bounds, tuple) or (
            bounds and not (len(bounds) == 2 and all(map(_is_number, bounds)) and bounds[0] < bounds[1])
        ):
            yield f"pixel_range = {bounds!r}, expected two increasing numbers, or none"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _length(value: object) -> int:
    return len(value) if isinstance(value, tuple) else 0
