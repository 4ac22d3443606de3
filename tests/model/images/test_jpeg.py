from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from model.images.decode import UnreadableImage, read_source
from model.images.jpeg import with_end

# Three by three blocks of 16 x 16 pixels, the last ones incomplete
HEIGHT, WIDTH = 34, 42
NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3))
SMOOTH = np.add.outer(np.arange(HEIGHT) * 2, np.arange(WIDTH) * 2)[..., None].repeat(3, 2) % 256
FLAT = np.full((HEIGHT, WIDTH, 3), 128)
RESTARTS = [{}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 2}]


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, "JPEG", quality=80, **options)
    return content.getvalue()


def decode(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("pixels", [NOISE, SMOOTH, FLAT], ids=["noise", "smooth", "flat"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("restarts", RESTARTS)
def test_only_the_end_marker_may_be_missing(pixels: np.ndarray, progressive: bool, restarts: dict) -> None:
    content = encoded(pixels, progressive=progressive, **restarts)
    whole = np.asarray(decode(content))
    for cut in (1, 2):
        image = with_end(content[:-cut], decode)
        assert image is not None and np.array_equal(np.asarray(image), whole)
        assert np.array_equal(np.asarray(read_source(content[:-cut])), whole)
    for cut in range(3, len(content) - content.rindex(b"\xff\xda") - 20):
        image = with_end(content[:-cut], decode)
        # A flat image may only lose restart markers
        assert image is None or np.array_equal(np.asarray(image), whole)
        assert image is None or pixels is FLAT


@pytest.mark.parametrize("restarts", RESTARTS)
def test_a_jpeg_truncated_at_a_row_a_restart_or_a_scan_is_unreadable(restarts: dict) -> None:
    content = encoded(NOISE, **restarts)
    markers = [match.start() for match in re.finditer(b"\xff[\xd0-\xd7]", content)]
    assert bool(markers) == bool(restarts)
    for at in (len(content) // 2, *markers):
        with pytest.raises(UnreadableImage, match="truncated"):
            read_source(content[:at])
    progressive = encoded(NOISE, progressive=True)
    with pytest.raises(UnreadableImage, match="truncated"):
        read_source(progressive[: progressive.rindex(b"\xff\xda")])  # whole scans, but not all


def test_a_jpeg_without_end_marker_is_read_at_a_smaller_scale_too() -> None:
    content = encoded(SMOOTH)
    cut, whole = (read_source(part, draft=(20, 10)) for part in (content[:-2], content))
    assert cut.size == whole.size == (WIDTH // 2, HEIGHT // 2) and np.array_equal(np.asarray(cut), np.asarray(whole))
