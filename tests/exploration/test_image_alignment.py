"""Alignments of thumbnails, compared with known crops."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from exploration.image_alignment import align_coarse_to_fine, common_boxes, identity, root_mean_square, warp


def textured(seed: int) -> Image.Image:
    """A smooth random RGB image of 240 x 240 pixels."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((240, 240, 3)), (12, 12, 0))
    return Image.fromarray((255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8))


def small(image: Image.Image, box: tuple[float, float, float, float]) -> np.ndarray:
    pixels = image.resize((48, 48), Image.Resampling.BICUBIC, box=tuple(240 * edge for edge in box))
    return np.asarray(pixels, dtype=np.float32) / 255


@pytest.mark.parametrize("box", [(0.05, 0.0, 1.0, 1.0), (0.04, 0.03, 0.96, 0.95), (0.0, 0.05, 0.95, 1.0)])
def test_the_alignment_of_a_crop_is_its_box(box: tuple[float, float, float, float]) -> None:
    whole, crop = small(textured(0), (0, 0, 1, 1))[None], small(textured(0), box)[None]
    alignment = align_coarse_to_fine(whole, crop)
    assert root_mean_square(whole, crop, alignment)[0] < 0.01 < root_mean_square(whole, crop, identity(1))[0]
    first, second = common_boxes(alignment * [1, 1 / 48, 1, 1 / 48])
    assert first[0] == pytest.approx(box, abs=0.006) and second[0] == pytest.approx((0, 0, 1, 1), abs=0.006)
    # the other way round, the crop is the first image
    first, second = common_boxes(align_coarse_to_fine(crop, whole) * [1, 1 / 48, 1, 1 / 48])
    assert second[0] == pytest.approx(box, abs=0.006) and first[0] == pytest.approx((0, 0, 1, 1), abs=0.006)


def test_pairs_are_aligned_independently() -> None:
    boxes = [(0.05, 0.0, 1.0, 1.0), (0.0, 0.04, 1.0, 0.97)]
    whole = np.stack([small(textured(seed), (0, 0, 1, 1)) for seed in (1, 2)])
    crops = np.stack([small(textured(seed), box) for seed, box in zip((1, 2), boxes)])
    together = align_coarse_to_fine(whole, crops)
    alone = [align_coarse_to_fine(whole[[row]], crops[[row]])[0] for row in (0, 1)]
    assert together == pytest.approx(np.stack(alone), abs=1e-3)


def test_warp_samples_linearly_and_knows_what_is_outside() -> None:
    image = np.arange(4, dtype=np.float32)[None, None, :, None] * np.ones((1, 4, 1, 1), np.float32)
    shifted, inside = warp(image, np.array([[1, 0, 1, 0.5]], np.float32))
    assert shifted[0, 0, :3, 0].tolist() == [0.5, 1.5, 2.5]
    assert inside.all()
    _, inside = warp(image, np.array([[1, 0, 1, 1]], np.float32))
    assert inside[0].tolist() == [[True, True, True, False]] * 4


def test_images_without_texture_are_no_error() -> None:
    flat = np.full((1, 48, 48, 3), 0.5, np.float32)
    assert align_coarse_to_fine(flat, flat) == pytest.approx(identity(1))
