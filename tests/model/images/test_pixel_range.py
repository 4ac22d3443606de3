from __future__ import annotations

import numpy as np
import pytest

from model.images.pixel_range import SHARES, common_range, eight_bits, pixel_quantiles, share_beyond


def rows(*images: np.ndarray) -> np.ndarray:
    return np.stack([pixel_quantiles(image) for image in images])


def ramp(top: float, dtype: str = "float32", low: float = 0.0) -> np.ndarray:
    return np.linspace(low, top, 1024).reshape(32, 32).astype(dtype)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ramp(4095, "uint16"), (0, 4095)),
        (ramp(3000, "uint16"), (0, 4095)),
        (ramp(1023, "uint16"), (0, 1023)),
        (ramp(65535, "uint16"), (0, 65535)),
        (ramp(16383, "int32"), (0, 16383)),
        (ramp(90, "int32"), (0, 255)),
        (ramp(1.0), (0, 1)),
        (ramp(0.4), (0, 1)),
        (ramp(1.04, low=-0.03), (0, 1)),
        (ramp(255.0), (0, 255)),
        (ramp(65535.0), (0, 65535)),
    ],
)
def test_integers_have_the_range_of_their_bits_and_floats_a_usual_one(values: np.ndarray, expected: tuple) -> None:
    assert common_range(rows(values), values.dtype.kind == "f") == expected


@pytest.mark.parametrize(
    ("low", "top", "dtype"), [(-1024, 3071, "int32"), (-80.0, 40.0, "float32"), (2.0, 9, "float32")]
)
def test_other_values_have_the_range_between_their_quantiles(low: float, top: float, dtype: str) -> None:
    pixel_range = common_range(rows(ramp(top, dtype, low)), dtype == "float32")
    assert pixel_range == pytest.approx((low, top), abs=0.01 * (top - low))


def test_the_range_of_a_flat_image_is_not_empty() -> None:
    low, high = common_range(rows(np.full((4, 4), 7e9, np.float32)), True)
    assert high > low


@pytest.mark.parametrize(
    ("dtype", "top", "stray"), [("float32", 1.0, 300.0), ("uint16", 4095, 65535), ("int32", 250, 300)]
)
def test_single_pixels_and_single_images_do_not_change_the_range(dtype: str, top: float, stray: float) -> None:
    images = [ramp(top, dtype) for _ in range(30)]
    clean = common_range(rows(*images), dtype == "float32")
    for image in images:
        image[3, 3] = stray
    assert common_range(rows(*images), dtype == "float32") == clean
    images[4] = np.full((32, 32), stray).astype(dtype)  # a broken image
    assert common_range(rows(*images), dtype == "float32") == clean
    assert clean[1] == pytest.approx(top, rel=0.03)


def test_many_bright_images_change_the_range() -> None:
    images = [ramp(4095, "uint16") for _ in range(20)] + [ramp(60000, "uint16") for _ in range(5)]
    assert common_range(rows(*images), False) == (0, 65535)


def test_quantiles_ignore_pixels_that_are_not_finite() -> None:
    values = ramp(1.0)
    values[0, :8] = np.nan, np.inf, -np.inf, np.nan, np.inf, -np.inf, np.nan, np.nan
    assert np.isfinite(pixel_quantiles(values)).all() and pixel_quantiles(values)[-1] == 1
    assert pixel_quantiles(np.full((2, 2), np.nan)).tolist() == [0.0] * len(SHARES)


def test_the_share_beyond_a_range_is_the_share_of_pixels() -> None:
    values = rows(ramp(1000.0), ramp(400.0), ramp(1000.0, low=-250))
    assert share_beyond(values, (0, 500)) == pytest.approx([0.5, 0, 0.6], abs=0.01)
    constant = rows(np.full((9, 9), 5000, np.uint16), np.full((9, 9), 4095, np.uint16), np.full((9, 9), -1, np.int32))
    assert share_beyond(constant, (0, 4095)).tolist() == [1, 0, 1]


def test_values_are_scaled_rounded_and_clipped() -> None:
    values = np.array([np.nan, -np.inf, -5, 0, 1000, 4095, 9000, np.inf])
    assert eight_bits(values, (0, 4095)).tolist() == [0, 0, 0, 0, 62, 255, 255, 255]
    assert eight_bits(np.array([29000, 30000, 31000], np.uint16), (29000, 31000)).tolist() == [0, 128, 255]
