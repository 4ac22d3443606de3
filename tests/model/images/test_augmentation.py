"""Random changes by name, crops, mixup and cutmix."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.errors import InputError
from model.images.augmentation import make_augmentation, make_mixing
from model.images.preprocessing import Preprocessing
from model.runtime.seeding import seed_all

SMALL = Preprocessing(32, 24, mean=(0.5, 0.4, 0.2), std=(0.2, 0.2, 0.2))


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))


def changed(named, picture: Image.Image, seed: int = 1) -> torch.Tensor:
    seed_all(seed)
    return make_augmentation(named, SMALL)(picture)


def test_without_changes_it_is_what_prediction_sees(picture):
    assert torch.equal(changed({}, picture), SMALL.to_pixels(SMALL.fit_image(picture)))


@pytest.mark.parametrize(
    "named",
    [
        {"random_resized_crop": {"scale": [0.3, 0.6]}},
        {"colour": {"brightness": 0.9}},
        {"randaugment": {"num_ops": 2, "magnitude": 12}},
        {"trivialaugment": {}},
        {"autoaugment": {"policy": "cifar10"}},
        {"augmix": {}},
        {"erasing": {"p": 1.0}},
        {"rotation": {"degrees": 30}},
        {"affine": {}},
        {"blur": {}},
        {"timm": {"policy": "rand-m9-mstd0.5"}},
        {"RandomSolarize": {"threshold": 100, "p": 1.0}},
    ],
    ids=lambda named: next(iter(named)),
)
def test_every_change_changes_the_picture_keeps_its_form_and_is_a_function_of_the_seed(named, picture):
    seen = [changed(named, picture, seed) for seed in range(8)]
    assert all(pixels.shape == (32, 24, 3) and pixels.dtype == torch.uint8 for pixels in seen)
    assert any(not torch.equal(pixels, changed({}, picture)) for pixels in seen)
    assert any(not torch.equal(pixels, seen[0]) for pixels in seen) or "RandomSolarize" in named
    assert torch.equal(seen[3], changed(named, picture, 3))


def test_flip_flips(picture):
    flipped = changed({"flip": {"p": 1.0}}, picture)
    assert torch.equal(flipped, changed({}, picture).flip(1))


def test_erased_parts_have_the_mean_colour(picture):
    pixels = changed({"erasing": {"p": 1.0, "scale": [0.4, 0.5]}}, picture)
    erased = (pixels == torch.tensor(SMALL.fill(), dtype=torch.uint8)).all(2).float().mean()
    assert 0.3 < erased < 0.6


def test_crops_lie_inside_and_have_the_asked_area():
    """Reference: the share of a picture that is white on its left half is that of the crop's box."""
    made = make_augmentation({"random_resized_crop": {"scale": [0.25, 0.25], "ratio": [1, 1]}}, Preprocessing(32, 32))
    picture = Image.new("RGB", (64, 64), "white")
    boxes = []
    for seed in range(50):
        seed_all(seed)
        boxes.append(made._crop_box(picture))
    areas = [(right - left) * (lower - upper) / 64**2 for left, upper, right, lower in boxes]
    assert areas == pytest.approx([0.25] * 50)
    assert all(left >= 0 and right <= 64 and upper >= 0 and lower <= 64 for left, upper, right, lower in boxes)
    assert max(left for left, *_ in boxes) > 20 and min(left for left, *_ in boxes) < 10


def test_jpegs_are_decoded_large_enough_for_crops():
    assert make_augmentation({}, SMALL).draft == (24, 32)
    assert make_augmentation({"random_resized_crop": {"scale": [0.25, 0.25]}}, SMALL).draft == (48, 64)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"flipp": {}}, "flipp: there is no such change; nearest: flip"),
        ({"colour": {"brightnes": 1}}, "ColorJitter has no argument 'brightnes'.*nearest: brightness"),
        ({"random_resized_crop": {"scale": [2, 3]}}, "scale"),
        ({"autoaugment": {"policy": "imagenett"}}, "autoaugment"),
        ({"timm": {"policy": "rand-zz9"}}, "timm"),
    ],
)
def test_what_there_is_not_is_told(named, told):
    with pytest.raises(InputError, match=told):
        make_augmentation(named, SMALL)


def test_mixup_mixes_pairs_by_their_share():
    seed_all(0)
    mixing = make_mixing({"mixup": {"alpha": 1.0}})
    batch = torch.randn(16, 3, 8, 8)
    mixed, partner, own = mixing(batch)
    assert 0 < own < 1
    assert sorted(partner.tolist()) == list(range(16))
    assert torch.allclose(mixed, batch * own + batch[partner] * (1 - own))


def test_cutmix_puts_in_a_box_and_counts_its_area():
    seed_all(1)
    mixing = make_mixing({"cutmix": {}})
    batch = torch.arange(16.0).view(16, 1, 1, 1).expand(16, 3, 20, 30).clone()
    mixed, partner, own = mixing(batch)
    moved = partner != torch.arange(16)
    from_partner = (mixed[moved] == partner[moved].float().view(-1, 1, 1, 1)).float().mean()
    assert float(from_partner) == pytest.approx(1 - own, abs=1e-6)
    assert torch.equal(batch[:, 0, 0, 0], torch.arange(16.0))  # the batch itself is not touched


def test_mixing_is_off_where_it_is_not_asked_for_and_rare_where_p_is_small():
    assert make_mixing({"flip": {}}) is None
    seed_all(2)
    mixing = make_mixing({"mixup": {"p": 0.25}})
    batch = torch.randn(4, 3, 4, 4)
    mixed = sum(mixing(batch)[2] < 1 for _ in range(400))
    assert 60 < mixed < 140


def test_mixing_names_what_it_does_not_take():
    with pytest.raises(InputError, match="mixup takes alpha and p above 0, not alpha = -1"):
        make_mixing({"mixup": {"alpha": -1}})
