"""What is done to a picture before the network sees it: one object, saved with the model, used by training,
inference, serving and export alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from model.errors import InputError, did_you_mean, listing
from model.images.decode import MODES

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
FITS = ("crop", "stretch", "pad")
MIN_PICTURE_STD = 1 / 255  # a picture of one colour has no deviation to divide by

Box = tuple[float, float, float, float]  # left, upper, right, lower


@dataclass(frozen=True)
class Preprocessing:
    """height, width: pixels that the network sees; channels: 3 or 1; fit: crop, stretch or pad; crop_pct: share of
    the fitted part's sides that is seen, its middle; interpolation: a key of RESAMPLING; mean, std: per channel, of
    pixels from 0 to 1, empty where each picture is normalised by its own (normalisation `picture`)."""

    height: int
    width: int
    channels: int = 3
    fit: str = "crop"
    crop_pct: float = 1.0
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def draft(self) -> tuple[int, int]:
        """Width and height that a JPEG must at least be decoded at."""
        return round(self.width / self.crop_pct), round(self.height / self.crop_pct)

    def box(self, width: int, height: int, zoom: float = 1.0, right: float = 0.5, down: float = 0.5) -> Box:
        """The part of a picture of width x height pixels that the network sees, as fit and crop_pct say; it reaches
        outside for `pad`. zoom: share of that part's sides that is kept; right, down: where within it, from 0 to 1."""
        left, upper, right_side, lower = self.whole_box(width, height)
        wide, high = (right_side - left) * self.crop_pct, (lower - upper) * self.crop_pct
        left = (width - wide) / 2 + wide * (1 - zoom) * right
        upper = (height - high) / 2 + high * (1 - zoom) * down
        return left, upper, left + wide * zoom, upper + high * zoom

    def whole_box(self, width: int, height: int) -> Box:
        """As box, before its middle is taken: what random crops are cut from."""
        wide, high = float(width), float(height)
        if self.fit != "stretch":
            scale = (min if self.fit == "crop" else max)(width / self.width, height / self.height)
            wide, high = self.width * scale, self.height * scale
        left, upper = (width - wide) / 2, (height - high) / 2
        return left, upper, left + wide, upper + high

    def fitted(self, picture: Image.Image, box: Box | None = None) -> Image.Image:
        """The picture at the network's size: its part in box (default: what fit says), resampled with anti-aliasing.
        Parts outside the picture are filled with the mean colour."""
        box = box or self.box(*picture.size)
        if box[0] < 0 or box[1] < 0 or box[2] > picture.width or box[3] > picture.height:
            left, upper = math.floor(min(box[0], 0)), math.floor(min(box[1], 0))
            right, lower = math.ceil(max(box[2], picture.width)), math.ceil(max(box[3], picture.height))
            canvas = Image.new(picture.mode, (right - left, lower - upper), self.fill(picture.mode))
            canvas.paste(picture, (-left, -upper))
            picture, box = canvas, (box[0] - left, box[1] - upper, box[2] - left, box[3] - upper)
        size = (self.width, self.height)
        if picture.size == size and box == (0, 0, *size):
            return picture
        box = (box[0], box[1], min(box[2], picture.width), min(box[3], picture.height))  # float noise
        return picture.resize(size, RESAMPLING[self.interpolation], box=box)

    def fill(self, mode: str = "RGB") -> int | tuple[int, ...]:
        """The mean colour, from 0 to 255, which normalisation makes 0."""
        mean = self.mean or (0.5,) * self.channels
        colour = tuple(round(255 * value) for value in mean)
        return colour[0] if mode == "L" else colour

    def pixels(self, picture: Image.Image) -> torch.Tensor:
        """uint8 (height, width, channels) of a fitted picture. A stack of them, permuted to (N, channels, height,
        width), is channels_last without a copy."""
        return torch.from_numpy(np.array(picture, dtype=np.uint8).reshape(self.height, self.width, self.channels))

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 network input from uint8 (or float, 0 to 255) pixels (N, channels, height, width)."""
        batch = pixels.float()
        if self.mean:
            mean = torch.tensor(self.mean, device=batch.device).view(1, -1, 1, 1) * 255
            std = torch.tensor(self.std, device=batch.device).view(1, -1, 1, 1) * 255
            return (batch - mean) / std
        mean = batch.mean((1, 2, 3), keepdim=True)
        std = batch.std((1, 2, 3), keepdim=True, correction=0).clamp(min=MIN_PICTURE_STD * 255)
        return (batch - mean) / std

    def to_dict(self) -> dict[str, Any]:
        """What preprocessing.json holds."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Preprocessing:
        """The inverse of to_dict. InputError where the content is not a preprocessing, with each field that does not
        fit, its value and what was expected."""
        try:
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()}
            made = cls(**values)
        except (TypeError, AttributeError) as error:
            raise InputError(f"not a preprocessing: {error}") from None
        if faults := list(made._faults()):
            raise InputError(f"not a preprocessing: {'; '.join(faults)}")
        return made

    def _faults(self) -> Iterator[str]:
        """Sentences about fields that do not fit."""
        for name, known in (("channels", MODES), ("fit", FITS), ("interpolation", RESAMPLING)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in known:
                close = did_you_mean(value, map(str, known)) if isinstance(value, str) else ""
                yield f"{name} = {value!r}, expected one of {listing(known)}{close}"
        for name in ("height", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield f"{name} = {value!r}, expected pixels, 1 or more"
        if not (_is_number(self.crop_pct) and 0 < self.crop_pct <= 1):
            yield f"crop_pct = {self.crop_pct!r}, expected a number above 0 and at most 1"
        for name, low, expected in (("mean", -math.inf, "numbers"), ("std", 0.0, "numbers above 0")):
            value = getattr(self, name)
            fits = isinstance(value, tuple) and all(_is_number(number) and number > low for number in value)
            if not fits or len(value) not in (0, self.channels) or len(value) != _length(self.mean):
                yield f"{name} = {value!r}, expected {expected}, one a channel, or none for mean and std"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _length(value: object) -> int:
    return len(value) if isinstance(value, tuple) else 0
