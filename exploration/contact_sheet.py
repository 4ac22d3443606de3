"""contact_sheet: several images with captions in one, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from model.images.decode import UnreadableImage, read_source

CAPTION_HEIGHT = 14  # pixels per line of a caption
GAP = 6  # pixels between images
BACKGROUND, INK, UNREADABLE = "white", "black", "lightgrey"


def contact_sheet(
    images: Sequence[Path | Image.Image], captions: Sequence[str] = (), columns: int = 7, side: int = 110
) -> Image.Image:
    """Draws images in rows.

    Args:
        images: Files or images. An unreadable file is a grey square.
        captions: A text below each image, of several lines if it contains line breaks; none for no texts.
        columns: Images per row.
        side: Longest side of an image on the sheet, in pixels.

    Returns:
        The sheet, RGB.

    Raises:
        ValueError: The numbers of images and captions differ.
    """
    if captions and len(captions) != len(images):
        raise ValueError(f"{len(captions)} captions for {len(images)} images; expected one per image, or none")
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    width, height = side + GAP, side + lines * CAPTION_HEIGHT + GAP
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (min(len(images), columns) * width or 1, rows * height or 1), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, image in enumerate(images):
        left, top = number % columns * width, number // columns * height
        small = _thumbnail(image, side)
        sheet.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
        if captions:
            draw.multiline_text((left, top + side), captions[number], fill=INK, font=font, spacing=1)
    return sheet


def _thumbnail(image: Path | Image.Image, side: int) -> Image.Image:
    if isinstance(image, Image.Image):
        small = image.convert("RGB")
    else:
        try:
            small = read_source(image)
        except UnreadableImage:
            return Image.new("RGB", (side, side), UNREADABLE)
    small.thumbnail((side, side))
    return small
