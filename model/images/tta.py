"""Test-time augmentation: fixed views of an image, whose probabilities are averaged, or random views, which vote."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.decisions import Decision
from model.errors import InputError
from model.images.inputs import Inputs
from model.images.pipeline import InputPipeline

SMALLEST_ZOOM = 0.8  # of the random views


@dataclass(frozen=True)
class View:
    """One view of an image.

    Attributes:
        zoom: Share of the height and width that is kept.
        right: Position of the crop, from 0 (left) to 1 (right).
        down: Position of the crop, from 0 (top) to 1 (bottom).
        flip: Whether left and right are swapped.
    """

    zoom: float = 1.0
    right: float = 0.5
    down: float = 0.5
    flip: bool = False


UNTOUCHED = View()
# Views and mirrored views alternate. Smaller crops lower the score for faces that fill the image.
FIXED: tuple[View, ...] = (
    UNTOUCHED,
    View(flip=True),
    View(0.92),
    View(0.92, flip=True),
    View(0.92, 0.0, 0.0),
    View(0.92, 1.0, 0.0, flip=True),
    View(0.92, 0.0, 1.0),
    View(0.92, 1.0, 1.0, flip=True),
    View(0.85),
    View(0.85, flip=True),
    View(0.85, 0.0, 0.0),
    View(0.85, 1.0, 0.0, flip=True),
    View(0.85, 0.0, 1.0),
    View(0.85, 1.0, 1.0, flip=True),
    View(0.8),
    View(0.8, flip=True),
)


@dataclass(frozen=True)
class Views:
    """Makes the views of images and combines their probabilities. The first view is always the untouched image.

    Attributes:
        pipeline: Makes the network's inputs from the views.
        number: Number of views per image.
        fixed: True for the first `number` views of FIXED; False for random views, which depend on the seed and the
            image's row.
        seed: Seed of the random views.
    """

    pipeline: InputPipeline
    number: int = 1
    fixed: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fixed and self.number > len(FIXED):
            raise InputError(
                f"num_tta {self.number}: there are only {len(FIXED)} fixed views; --tta_mode vote draws any number of "
                "random views"
            )

    @property
    def channels(self) -> int:
        """Number of channels to decode images to."""
        return self.pipeline.channels

    @property
    def pixel_range(self) -> tuple[float, ...]:
        """Pixel values that become 0 and 255 in images of more than 8 bits per channel."""
        return self.pipeline.pixel_range

    @property
    def draft(self) -> tuple[int, int]:
        """Minimum width and height at which a JPEG must be decoded so that no view is enlarged."""
        width, height = self.pipeline.draft
        zoom = min((view.zoom for view in FIXED[: self.number]), default=1.0) if self.fixed else SMALLEST_ZOOM
        zoom = zoom if self.number > 1 else 1.0
        return round(width / zoom), round(height / zoom)

    def for_row(self, row: int) -> Sequence[View]:
        """The views of the image in a table's row."""
        if self.fixed:
            return FIXED[: self.number]
        generator = random.Random(self.seed * 1_000_003 + row)
        views = [UNTOUCHED]
        for _ in range(self.number - 1):
            zoom, right, down = generator.uniform(SMALLEST_ZOOM, 1.0), generator.random(), generator.random()
            views.append(View(zoom, right, down, flip=generator.random() < 0.5))
        return views

    def __call__(self, image: Image.Image, row: int) -> Inputs:
        """The inputs of a decoded image, (number, ...). row: seed of random views."""
        preprocessing = self.pipeline.preprocessing
        unflipped: dict[View, NDArray[np.uint8]] = {}  # a view and its mirror image are resized once
        pixels = []
        for view in self.for_row(row):
            key = View(view.zoom, view.right, view.down)
            if key not in unflipped:
                box = preprocessing.box(*image.size, view.zoom, view.right, view.down)
                unflipped[key] = preprocessing.to_pixels(preprocessing.fit_image(image, box))
            pixels.append(unflipped[key][:, ::-1] if view.flip else unflipped[key])
        return self.pipeline.inputs(pixels)

    def combine(self, probabilities: NDArray[np.float32], decision: Decision) -> NDArray[np.float32]:
        """Combines the probabilities of the views.

        Args:
            probabilities: float32 (N, number, classes).
            decision: Chooses the class that a random view votes for.

        Returns:
            float32 (N, classes), the mean over the views; for random views the share of votes.
        """
        return mean_over_views(probabilities if self.fixed else decision.votes(probabilities))


def mean_over_views(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over the second axis of float32 (N, views, C), float32 (N, C).

    It is bit-identical to torch.mean on an x86 CPU, which earlier versions used. torch.mean sums the views in order for
    blocks of columns that fill a vector register, and in four interleaved partial sums for the remaining columns.
    """
    views, columns = values.shape[1:]
    block = 4 if columns < 8 else 32
    in_order = columns // block * block
    total = np.empty((len(values), columns), np.float32)
    total[:, :in_order] = _sum_in_order(values[:, :, :in_order])
    rest = values[:, :, in_order:]
    whole = views // 4 * 4
    partial = [_sum_in_order(rest[:, start:whole:4]) for start in range(4)]
    for view in range(whole, views):
        partial[0] += rest[:, view]
    total[:, in_order:] = _sum_in_order(np.stack(partial, axis=1))
    return total / np.float32(views)


def _sum_in_order(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum float32 (N, C) over the second axis of (N, views, C), added one view after the other."""
    total = np.zeros((len(values), values.shape[2]), np.float32)
    for view in range(values.shape[1]):
        total += values[:, view]
    return total
