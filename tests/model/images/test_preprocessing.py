"""The part of an image that the network sees, and the saved fields."""

import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from model.images.preprocessing import Preprocessing

FACES = Preprocessing(64, 48, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))


def gradient(width: int, height: int) -> Image.Image:
    """Red increases to the right, green downwards."""
    red = np.tile(np.linspace(0, 255, width), (height, 1))
    green = np.tile(np.linspace(0, 255, height)[:, None], (1, width))
    return Image.fromarray(np.stack([red, green, np.zeros_like(red)], axis=2).astype(np.uint8))


def test_an_image_of_the_right_size_is_unchanged():
    image = gradient(48, 64)
    assert np.array_equal(FACES.to_pixels(FACES.fit_image(image)), np.asarray(image))


@pytest.mark.parametrize("size", [(96, 128), (300, 100), (100, 300), (20, 20)])
@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_every_fit_results_in_the_networks_size(fit, size):
    fitted = Preprocessing(64, 48, fit=fit).fit_image(gradient(*size))
    assert fitted.size == (48, 64)


def test_crop_cuts_out_the_centre_and_keeps_the_aspect_ratio():
    pixels = np.asarray(Preprocessing(50, 50).fit_image(gradient(200, 100)))
    assert pixels[25, 0, 0] == pytest.approx(255 * 0.25, abs=4)  # the left quarter is cut off
    assert pixels[25, -1, 0] == pytest.approx(255 * 0.75, abs=4)
    assert pixels[0, 25, 1] < 5 and pixels[-1, 25, 1] > 250


def test_stretch_keeps_the_whole_image():
    pixels = np.asarray(Preprocessing(50, 50, fit="stretch").fit_image(gradient(200, 100)))
    assert pixels[25, 0, 0] < 5 and pixels[25, -1, 0] > 250


def test_pad_fills_with_the_colour_that_normalisation_makes_zero():
    padded = Preprocessing(60, 60, fit="pad", mean=(0.5, 0.4, 0.2), std=(0.2, 0.2, 0.2))
    pixels = padded.to_pixels(padded.fit_image(gradient(200, 100)))
    assert pixels[0, 30].tolist() == [128, 102, 51]
    assert pixels[30, 0, 0] < 8 and pixels[30, -1, 0] > 247
    assert (pixels[0, 30] / 255 - padded.mean) / padded.std == pytest.approx(0, abs=0.02)


def test_zoom_cuts_at_the_given_position():
    left, upper, right, lower = Preprocessing(50, 50).box(100, 100, zoom=0.8, right=1.0, down=0.0)
    assert (left, upper, right, lower) == pytest.approx((20, 0, 100, 80))


def test_crop_pct_keeps_the_centre_and_views_are_cut_from_it():
    seen = Preprocessing(50, 50, crop_pct=0.8)
    assert seen.box(100, 100) == pytest.approx((10, 10, 90, 90))
    assert seen.box(100, 100, zoom=0.5, right=0.0, down=1.0) == pytest.approx((10, 50, 50, 90))
    assert seen.whole_box(100, 100) == (0, 0, 100, 100)
    assert seen.draft == (62, 62)


def test_grey_has_one_channel():
    grey = Preprocessing(64, 48, channels=1, mean=(0.5,), std=(0.2,))
    assert grey.to_pixels(grey.fit_image(gradient(48, 64).convert("L"))).shape == (64, 48, 1)


def test_from_dict_is_the_inverse_of_to_dict():
    assert Preprocessing.from_dict(FACES.to_dict()) == FACES
    with pytest.raises(InputError, match="invalid preprocessing"):
        Preprocessing.from_dict({"height": 3})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"interpolation": "bilinaer"}, "interpolation = 'bilinaer'.*nearest: bilinear"),
        ({"interpolation": ["bilinear"]}, "interpolation"),
        ({"fit": 5}, "fit = 5, expected one of crop, stretch, pad"),
        ({"channels": 2}, "channels = 2, expected one of 1, 3"),
        ({"height": 0}, "height = 0"),
        ({"width": 48.0}, "width = 48.0"),
        ({"crop_pct": 0}, "crop_pct = 0, expected a number above 0"),
        ({"crop_pct": "0.9"}, "crop_pct = '0.9'"),
        ({"crop_pct": float("nan")}, "crop_pct = nan"),
        ({"mean": 0.5}, "mean = 0.5, expected numbers, one per channel"),
        ({"mean": [0.5, 0.4]}, "mean = .0.5, 0.4.*std ="),
        ({"mean": []}, "std ="),
        ({"std": [0.2, 0, 0.2]}, "std = .0.2, 0, 0.2., expected numbers above 0"),
        ({"std": [0.2, "0.2", 0.2]}, "std ="),
        ({"pixel_range": [0]}, "pixel_range = .0,., expected two increasing numbers, or none"),
        ({"pixel_range": [5, 5]}, "pixel_range = .5, 5."),
        ({"pixel_range": [0, "9"]}, "pixel_range"),
        ({"pixel_range": 255}, "pixel_range = 255"),
        ({"height": 0, "fit": "corp"}, "fit = 'corp'.*nearest: crop; height = 0"),
    ],
)
def test_invalid_fields_are_reported_with_their_values(wrong, message):
    with pytest.raises(InputError, match=f"invalid preprocessing: .*{message}"):
        Preprocessing.from_dict({**FACES.to_dict(), **wrong})


def test_a_pixel_range_is_only_saved_if_there_is_one():
    assert "pixel_range" not in FACES.to_dict()
    deep = Preprocessing(8, 9, pixel_range=(0.0, 4095.0))
    assert deep.to_dict()["pixel_range"] == [0.0, 4095.0] and Preprocessing.from_dict(deep.to_dict()) == deep


def test_preprocessings_of_saved_models_are_valid():
    for preprocessing in (Preprocessing(1, 1), Preprocessing(8, 9, 1, "pad", 0.875, "lanczos", (0.0,), (1.0,))):
        assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing
