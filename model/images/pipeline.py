"""InputPipeline: the input pipeline that is saved with a model and used by training, inference and serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.images.inputs import METADATA, PIXELS, Inputs
from model.images.preprocessing import Preprocessing
from model.images.vocabulary import Vocabulary


@dataclass(frozen=True)
class InputPipeline:
    """Makes a network's inputs from the fitted views of an image.

    Attributes:
        preprocessing: Fits images to the network's input size.
        vocabulary: Converts metadata to the network's input `metadata`; None if it reads only images.
    """

    preprocessing: Preprocessing
    vocabulary: Vocabulary | None = None

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

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """The columns of metadata that the network reads."""
        return self.vocabulary.names if self.vocabulary else ()

    def arrays_by_row(self, metadata: Mapping[str, Sequence[object]], rows: int) -> dict[str, NDArray[Any]]:
        """The inputs that are not made from pixels, (rows, ...) each: those of one image are the same for each view.

        Args:
            metadata: The values of the images by column; a column that is not among them is unknown.
            rows: Number of images.
        """
        return {METADATA: self.vocabulary.codes(metadata, rows)} if self.vocabulary else {}

    def to_dict(self) -> dict[str, Any]:
        """The content of preprocessing.json."""
        metadata = {METADATA: self.vocabulary.to_dict()} if self.vocabulary else {}
        return {**self.preprocessing.to_dict(), **metadata}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> InputPipeline:
        """The inverse of to_dict. Raises InputError that lists the invalid fields."""
        own = {name: value for name, value in saved.items() if name != METADATA}
        return cls(Preprocessing.from_dict(own), Vocabulary.from_dict(saved[METADATA]) if METADATA in saved else None)
