"""Altered copies of images, as they occur in collections: recompressed, resized, flipped, slightly cropped.

The demo's flaws and the benchmark of near_duplicates plant them.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

CHANGES = (
    ("recompressed",),
    ("resized",),
    ("flipped",),
    ("cropped",),
    ("flipped", "cropped"),
    ("cropped", "resized", "recompressed"),
    ("flipped", "cropped", "resized", "recompressed"),
)
CROP = (0.02, 0.05)  # share of the side that the most cropped edge loses
QUALITIES = (30, 90)
SIZES = ((0.5, 0.8), (1.2, 1.5))  # of a side, smaller or larger
USUAL_QUALITY = 92


def altered_copy(image: Image.Image, changes: tuple[str, ...], rng: np.random.Generator) -> bytes:
    """An altered copy of an image as JPEG.

    Args:
        image: RGB.
        changes: recompressed (quality 30 to 90), resized (50 to 80 % or 120 to 150 %), flipped, cropped (each edge by
            at most 5 % of the side).
        rng: Draws the amounts.
    """
    if "cropped" in changes:
        edges = rng.uniform(0, CROP[1], 4)
        edges[rng.integers(4)] = rng.uniform(*CROP)
        left, top, right, bottom = edges * (image.size * 2)
        image = image.crop((round(left), round(top), round(image.width - right), round(image.height - bottom)))
    if "flipped" in changes:
        image = ImageOps.mirror(image)
    if "resized" in changes:
        factor = rng.uniform(*SIZES[rng.integers(2)])
        size = (max(8, round(image.width * factor)), max(8, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    quality = int(rng.integers(QUALITIES[0], QUALITIES[1] + 1)) if "recompressed" in changes else USUAL_QUALITY
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return content.getvalue()
