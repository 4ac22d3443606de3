"""Views of an image, and how their probabilities are combined."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.decisions import Decision
from model.errors import InputError
from model.images.preprocessing import Preprocessing
from model.images.tta import FIXED, UNTOUCHED, Views, fixed_views_text

SMALL = Preprocessing(32, 24)


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))


@pytest.mark.parametrize(("number", "fixed"), [(1, True), (4, True), (8, True), (16, True), (5, False)])
def test_the_untouched_picture_is_always_the_first_view(picture, number, fixed):
    made = Views(SMALL, number, fixed)(picture, row=3)
    assert made.shape == (number, 32, 24, 3)
    assert torch.equal(made[0], SMALL.to_pixels(SMALL.fit_image(picture)))


def test_fixed_views_differ_from_each_other_and_are_the_same_for_every_row(picture):
    views = Views(SMALL, 16)
    made = views(picture, 0)
    assert len({view.numpy().tobytes() for view in made}) == 16
    assert torch.equal(made, views(picture, 9))
    assert len(set(FIXED)) == len(FIXED) and FIXED[0] == UNTOUCHED


def test_a_flipped_view_is_the_flipped_picture(picture):
    made = Views(SMALL, 2)(picture, 0)
    assert torch.equal(made[1], made[0].flip(1))


def test_random_views_are_a_function_of_seed_and_row(picture):
    views = Views(SMALL, 6, fixed=False, seed=1)
    assert torch.equal(views(picture, 4), views(picture, 4))
    assert not torch.equal(views(picture, 4)[1:], views(picture, 5)[1:])
    assert not torch.equal(views(picture, 4)[1:], Views(SMALL, 6, fixed=False, seed=2)(picture, 4)[1:])


def test_soft_joining_is_the_mean_and_voting_counts_answers():
    each = torch.tensor([[[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.3, 0.0, 0.7]]])
    assert torch.allclose(Views(SMALL, 3).combine(each, Decision()), each.mean(1))
    assert torch.allclose(Views(SMALL, 3, fixed=False).combine(each, Decision()), torch.tensor([[1 / 3, 1 / 3, 1 / 3]]))
    biased = Decision(biases=(0.0, 1.0, 0.0))  # moves the third view's vote nowhere: the second class has probability 0
    assert torch.allclose(Views(SMALL, 3, fixed=False).combine(each, biased), torch.tensor([[1 / 3, 1 / 3, 1 / 3]]))
    biased = Decision(biases=(0.0, 3.0, 0.0))
    assert torch.allclose(Views(SMALL, 3, fixed=False).combine(each, biased), torch.tensor([[0.0, 2 / 3, 1 / 3]]))
    assert torch.allclose(Views(SMALL, 3).combine(each, biased), each.mean(1))


def test_jpegs_are_decoded_large_enough_for_the_closest_view():
    assert Views(SMALL, 1).draft == (24, 32)
    assert Views(SMALL, 2).draft == (24, 32)
    width, height = Views(SMALL, 16).draft
    assert (width, height) == (30, 40)
    assert Views(SMALL, 3, fixed=False).draft == (30, 40)


def test_more_fixed_views_than_there_are_name_the_other_mode():
    with pytest.raises(InputError, match="16 fixed views; --tta_mode vote"):
        Views(SMALL, 17)


def test_help_lists_every_view():
    text = " ".join(fixed_views_text().split())
    assert text.startswith("1 as it is; 2 flipped; 3 92% middle;") and "16 80% middle, flipped" in text
