"""Views of an image, and how their probabilities are combined."""

import numpy as np
import pytest
from PIL import Image

from model.decisions import Decision
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import FIXED, UNTOUCHED, Views

FIT = Preprocessing(32, 24)
SMALL = InputPipeline(FIT)


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))


@pytest.mark.parametrize(("number", "fixed"), [(1, True), (4, True), (8, True), (16, True), (5, False)])
def test_the_untouched_image_is_always_the_first_view(image, number, fixed):
    pixels = Views(SMALL, number, fixed)(image, row=3).arrays["pixels"]
    assert pixels.shape == (number, 32, 24, 3)
    assert pixels.dtype == np.uint8 and np.array_equal(pixels[0], FIT.to_pixels(FIT.fit_image(image)))


def test_fixed_views_differ_from_each_other_and_are_the_same_for_every_row(image):
    views = Views(SMALL, 16)
    pixels = views(image, 0).arrays["pixels"]
    assert len({view.tobytes() for view in pixels}) == 16
    assert np.array_equal(pixels, views(image, 9).arrays["pixels"])
    assert len(set(FIXED)) == len(FIXED) and FIXED[0] == UNTOUCHED


def test_a_flipped_view_is_the_flipped_image(image):
    pixels = Views(SMALL, 2)(image, 0).arrays["pixels"]
    assert np.array_equal(pixels[1], np.fliplr(pixels[0]))


def test_random_views_depend_on_seed_and_row(image):
    def pixels(seed: int, row: int) -> np.ndarray:
        return Views(SMALL, 6, fixed=False, seed=seed)(image, row).arrays["pixels"]

    assert np.array_equal(pixels(1, 4), pixels(1, 4))
    assert not np.array_equal(pixels(1, 4)[1:], pixels(1, 5)[1:])
    assert not np.array_equal(pixels(1, 4)[1:], pixels(2, 4)[1:])


def test_fixed_views_are_averaged_and_random_views_vote():
    each = np.float32([[[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.3, 0.0, 0.7]]])
    np.testing.assert_allclose(Views(SMALL, 3).combine(each, Decision()), each.mean(1), rtol=1e-6)
    votes = Views(SMALL, 3, fixed=False)
    np.testing.assert_allclose(votes.combine(each, Decision()), [[1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(votes.combine(each, Decision(biases=(0.0, 9.0, 0.0))), [[0, 2 / 3, 1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 4, 7, 8, 18, 31, 32, 33, 64, 100, 1000])
def test_the_mean_of_views_is_bit_identical_to_torch(classes):
    """Reference: torch.mean, which earlier versions used."""
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(classes)
    for number in range(1, 17):
        for images in (1, 5, 64):
            logits = draw.normal(size=(images, number, classes)) * 3
            each = (np.exp(logits) / np.exp(logits).sum(2, keepdims=True)).astype(np.float32)
            combined = Views(SMALL, number).combine(each, Decision())
            assert combined.dtype == np.float32
            np.testing.assert_array_equal(combined, torch.from_numpy(each).mean(1).numpy())
            voted = Views(SMALL, number, fixed=False).combine(each, Decision())
            votes = torch.nn.functional.one_hot(torch.from_numpy(each).argmax(2), classes).float()
            np.testing.assert_array_equal(voted, votes.mean(1).numpy())


def test_jpegs_are_decoded_large_enough_for_the_closest_view():
    assert Views(SMALL, 1).draft == (24, 32)
    assert Views(SMALL, 2).draft == (24, 32)
    width, height = Views(SMALL, 16).draft
    assert (width, height) == (30, 40)
    assert Views(SMALL, 3, fixed=False).draft == (30, 40)


def test_too_many_fixed_views_are_an_error_with_the_other_mode():
    with pytest.raises(InputError, match="16 fixed views; --tta_mode vote"):
        Views(SMALL, 17)
