"""Views of a picture for test-time augmentation: fixed ones, or random ones that vote."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from model.errors import InputError
from model.images.preprocessing import Preprocessing

SMALLEST_ZOOM = 0.8


@dataclass(frozen=True)
class View:
    """zoom: share of the sides that is kept; right, down: where it is cut, 0 to 1; flip: left and right swapped."""

    zoom: float = 1.0
    right: float = 0.5
    down: float = 0.5
    flip: bool = False

    def __str__(self) -> str:
        if self == UNTOUCHED:
            return "as it is"
        places = {(0.5, 0.5): "middle", (0.0, 0.0): "upper left", (1.0, 1.0): "lower right"}
        places |= {(1.0, 0.0): "upper right", (0.0, 1.0): "lower left"}
        cut = f"{self.zoom:.0%} {places.get((self.right, self.down), '')}".strip() if self.zoom < 1 else ""
        return ", ".join(part for part in (cut, "flipped" if self.flip else "") if part)


UNTOUCHED = View()
# A view and its mirror image in turn; small crops cost more than they gain on faces that fill the picture.
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
    """Makes the views of pictures. fixed: the same for every picture; else `number` random ones a picture, drawn from
    seed and the picture's row. The untouched picture is always the first."""

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
        """Width and height that a JPEG must at least be decoded at, so that no view is enlarged."""
        width, height = self.preprocessing.draft
        zoom = min((view.zoom for view in FIXED[: self.number]), default=1.0) if self.fixed else SMALLEST_ZOOM
        zoom = zoom if self.number > 1 else 1.0
        return round(width / zoom), round(height / zoom)

    def of(self, row: int) -> Sequence[View]:
        """The views of a table's row."""
        if self.fixed:
            return FIXED[: self.number]
        draw = random.Random(self.seed * 1_000_003 + row)
        return [UNTOUCHED] + [
            View(draw.uniform(SMALLEST_ZOOM, 1.0), draw.random(), draw.random(), draw.random() < 0.5)
            for _ in range(self.number - 1)
        ]

    def __call__(self, picture: Image.Image, row: int) -> torch.Tensor:
        """uint8 (number, height, width, channels)."""
        parts: dict[View, torch.Tensor] = {}
        made = []
        for view in self.of(row):
            upright = View(view.zoom, view.right, view.down)
            if upright not in parts:
                box = self.preprocessing.box(*picture.size, view.zoom, view.right, view.down)
                parts[upright] = self.preprocessing.pixels(self.preprocessing.fitted(picture, box))
            made.append(parts[upright].flip(1) if view.flip else parts[upright])
        return torch.stack(made)

    def join(self, probabilities: torch.Tensor) -> torch.Tensor:
        """(N, classes) from float (N, number, classes): the mean, or for random views the share of their votes."""
        if self.fixed:
            return probabilities.mean(1)
        votes = torch.nn.functional.one_hot(probabilities.argmax(2), probabilities.shape[2])
        return votes.float().mean(1)


def fixed_views_text() -> str:
    """The fixed views in their order, for --help."""
    text = "; ".join(f"{number} {view}" for number, view in enumerate(FIXED, 1))
    return textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="    ")
