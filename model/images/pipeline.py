"""InputPipeline: the input pipeline that is saved with a model and used by training, inference and serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.images.inputs import PIXELS, Inputs
from model.images.preprocessing import Preprocessing


@dataclass(frozen=True)
class InputPipeline:
    """Makes a network's inputs from the fitted views of an image.

    Attributes:
        preprocessing: Fits images to the network's input size.
    """

    preprocessing: Preprocessing

    @property
    def channels(self) -> int:
        """Number of channels to decode images to: 3 for RGB, 1 for grey."""
        return self.preprocessing.channels

    @property
    def draft(self) -> tuple[int, int]:
        """Minimum width and height at which a JPEG must be decoded."""
        return self.preprocessing.draft

    @property
    def pixel_range(self) -> tuple[float, ...]:
        """Pixel values that become 0 and 255 in images of more than 8 bits per channel."""
        return self.preprocessing.pixel_range

    def inputs(self, pixels: Sequence[NDArray[np.uint8]]) -> Inputs:
        """The inputs of one image, (views, ...), from each view's pixels, uint8 (height, width, channels)."""
        return Inputs({PIXELS: np.stack(pixels)})

    def to_dict(self) -> dict[str, Any]:
        """The content of preprocessing.json."""
        return self.preprocessing.to_dict()

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> InputPipeline:
        """The inverse of to_dict. Raises InputError that lists the invalid fields."""
        return cls(Preprocessing.from_dict(saved))
