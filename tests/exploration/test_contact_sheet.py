"""Contact sheets: each image is in its cell, unreadable files are grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exploration.contact_sheet import GAP, contact_sheet

COLOURS = ("red", "green", "blue")


def test_images_are_in_rows_with_room_for_their_captions(tmp_path: Path) -> None:
    images: list[Path | Image.Image] = []
    for colour in COLOURS:
        Image.new("RGB", (40, 20), colour).save(tmp_path / f"{colour}.png")
        images.append(tmp_path / f"{colour}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    images += [tmp_path / "broken.png", Image.new("L", (10, 30), 7)]
    sheet = contact_sheet(images, ["a", "b\nc", "", "", ""], columns=2, side=20)
    row = (sheet.height) // 3
    assert sheet.size == (2 * (20 + GAP), 3 * row) and row > 20 + 2 * 10
    centres = [sheet.getpixel((10 + (20 + GAP) * (n % 2), 10 + row * (n // 2))) for n in range(5)]
    assert centres == [(255, 0, 0), (0, 128, 0), (0, 0, 255), (211, 211, 211), (7, 7, 7)]
    pixels = np.asarray(sheet)
    # captions only below the first two images; of an image that is wider than high, the space above stays white
    assert (pixels[20:row] < 128).any() and (pixels[row + 20 : 2 * row] == 255).all()
    assert (pixels[:5] == 255).all()


def test_a_sheet_without_images_or_captions() -> None:
    assert contact_sheet([]).size == (1, 1)
    assert contact_sheet([Image.new("RGB", (300, 300))], side=50).size == (50 + GAP, 50 + GAP)


@pytest.mark.parametrize("captions", [["a"], ["a", "b", "c"]])
def test_each_image_has_a_caption(captions: list[str]) -> None:
    with pytest.raises(ValueError, match=f"{len(captions)} captions for 2 images; expected one per image"):
        contact_sheet([Image.new("RGB", (4, 4))] * 2, captions)
