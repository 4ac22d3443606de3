"""Test-time augmentation: views of an image, fixed ones whose probabilities are averaged or random ones that vote."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from model.decisions import Decision
from model.errors import InputError
from model.images.preprocessing import Preprocessing

SMALLEST_ZOOM = 0.8  # of the random views


@dataclass(frozen=True)
class View:
    """One view of an image.

    Attributes:
        zoom: Share of the sides that is kept.
        right: Position of the cut, from 0 (left) to 1 (right).
        down: From 0 (top) to 1 (bottom).
        flip: Whether left and right are swapped.
    """

    zoom: float = 1.0
    right: float = 0.5
    down: float = 0.5
    flip: bool = False

    def __str__(self) -> str:
        if self == UNTOUCHED:
            return "as it is"
        positions = {(0.5, 0.5): "middle", (0.0, 0.0): "upper left", (1.0, 1.0): "lower right"}
        positions |= {(1.0, 0.0): "upper right", (0.0, 1.0): "lower left"}
        cut = f"{self.zoom:.0%} {positions.get((self.right, self.down), '')}".strip() if self.zoom < 1 else ""
        return ", ".join(part for part in (cut, "flipped" if self.flip else "") if part)


UNTOUCHED = View()
# Views and mirrored views in turn. Smaller crops lose more than they gain on faces that fill the image.
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
        preprocessing: Fits each view to the network's input.
        number: Views of each image.
        fixed: True for the first `number` of FIXED; False for random views, drawn from the seed and the image's row.
        seed: Seed of the random views.
    """

    preprocessing: Preprocessing
    number: int = 1
    fixed: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fixed and self.number > len(FIXED):
            raise InputError(
                f"num_tta {self.number}: there are {len(FIXED)} fixed views; --tta_mode vote draws any number"
            )

    @property
    def draft(self) -> tuple[int, int]:
        """Minimal width and height at which a JPEG has to be decoded, so that no view is enlarged."""
        width, height = self.preprocessing.draft
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

    def __call__(self, image: Image.Image, row: int) -> torch.Tensor:
        """The views of a decoded image, uint8 (number, height, width, channels)."""
        unflipped: dict[View, torch.Tensor] = {}  # a view and its mirror image are resized once
        pixels = []
        for view in self.for_row(row):
            key = View(view.zoom, view.right, view.down)
            if key not in unflipped:
                box = self.preprocessing.box(*image.size, view.zoom, view.right, view.down)
                unflipped[key] = self.preprocessing.to_pixels(self.preprocessing.fit_image(image, box))
            pixels.append(unflipped[key].flip(1) if view.flip else unflipped[key])
        return torch.stack(pixels)

    def combine(self, probabilities: torch.Tensor, decision: Decision) -> torch.Tensor:
        """Combines float (N, number, classes) to (N, classes): the mean, or for random views the share of votes.

        Args:
            probabilities: of each view, on the CPU.
            decision: decides which class a view votes for.
        """
        if self.fixed:
            return probabilities.mean(1)
        return torch.from_numpy(decision.votes(probabilities.numpy())).mean(1)


def fixed_views_text() -> str:
    """The fixed views in their order, as text for --help."""
    text = "; ".join(f"{number} {view}" for number, view in enumerate(FIXED, 1))
    return textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="    ")
