"""Augmentations by name, and crops."""

import pickle

import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.runtime.seeding import seed_all
from model.training.augmentation import (
    AUGMENTATIONS,
    BoxTransform,
    ImageTransform,
    PixelTransform,
    make_augmentation,
)

FIT = Preprocessing(32, 24, mean=(0.5, 0.4, 0.2), std=(0.2, 0.2, 0.2))
SMALL = InputPipeline(FIT)


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))


def changed(named, picture: Image.Image, draw: int = 1, seed: int = 0) -> np.ndarray:
    (pixels,) = make_augmentation(named, SMALL, seed)(picture, draw).arrays["pixels"]
    return pixels


def test_without_transforms_the_inputs_are_those_of_prediction(picture):
    assert np.array_equal(changed({}, picture), FIT.to_pixels(FIT.fit_image(picture)))


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
def test_every_augmentation_changes_the_image_but_not_its_shape_and_depends_only_on_the_draw(named, picture):
    seen = [changed(named, picture, draw) for draw in range(8)]
    assert all(pixels.shape == (32, 24, 3) and pixels.dtype == np.uint8 for pixels in seen)
    assert any(not np.array_equal(pixels, changed({}, picture)) for pixels in seen)
    assert any(not np.array_equal(pixels, seen[0]) for pixels in seen) or "RandomSolarize" in named
    assert np.array_equal(seen[3], changed(named, picture, 3))
    assert any(not np.array_equal(seen[draw], changed(named, picture, draw, seed=1)) for draw in range(8)) or (
        "RandomSolarize" in named
    )


def test_flip_flips(picture):
    flipped = changed({"flip": {"p": 1.0}}, picture)
    assert np.array_equal(flipped, np.fliplr(changed({}, picture)))


def test_erased_areas_have_the_mean_colour(picture):
    pixels = changed({"erasing": {"p": 1.0, "scale": [0.4, 0.5]}}, picture)
    erased = (pixels == FIT.fill()).all(axis=2).mean()
    assert 0.3 < erased < 0.6


def test_crops_are_inside_the_image_and_have_the_requested_area():
    """Reference: for an image with a white left half, the white share of the result is that of the crop's box."""
    crop = AUGMENTATIONS["random_resized_crop"](Preprocessing(32, 32), scale=[0.25, 0.25], ratio=[1, 1])
    picture = Image.new("RGB", (64, 64), "white")
    boxes = []
    for seed in range(50):
        seed_all(seed)
        boxes.append(crop.box(picture))
    areas = [(right - left) * (lower - upper) / 64**2 for left, upper, right, lower in boxes]
    assert areas == pytest.approx([0.25] * 50)
    assert all(left >= 0 and right <= 64 and upper >= 0 and lower <= 64 for left, upper, right, lower in boxes)
    assert max(left for left, *_ in boxes) > 20 and min(left for left, *_ in boxes) < 10


def test_jpegs_are_decoded_large_enough_for_crops():
    assert make_augmentation({}, SMALL, 0).draft == (24, 32)
    assert make_augmentation({"random_resized_crop": {"scale": [0.25, 0.25]}}, SMALL, 0).draft == (48, 64)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"flipp": {}}, "flipp: there is no such augmentation; nearest: flip"),
        ({"timm": {"polic": "original"}}, "timm: .*polic"),
        ({"colour": {"brightnes": 1}}, "ColorJitter has no argument 'brightnes'.*nearest: brightness"),
        ({"random_resized_crop": {"scale": [2, 3]}}, "scale"),
        ({"autoaugment": {"policy": "imagenett"}}, "autoaugment"),
        ({"timm": {"policy": "rand-zz9"}}, "timm"),
    ],
)
def test_unknown_names_and_arguments_are_an_error(named, message):
    with pytest.raises(InputError, match=message):
        make_augmentation(named, SMALL, 0)


def test_a_registered_transform_is_applied_at_the_stage_of_its_kind(picture, monkeypatch):
    """Each transform records what it gets; the order in the setting only counts within a kind."""
    seen = []

    def to_the_left(preprocessing: Preprocessing) -> BoxTransform:
        return BoxTransform(lambda image: seen.append(image.size) or (0, 0, 24, 32), share=0.25)

    def darker(preprocessing: Preprocessing, by: int = 2) -> ImageTransform:
        return ImageTransform(lambda image: seen.append(image.size) or image.point(lambda value: value // by))

    def blank_row(preprocessing: Preprocessing) -> PixelTransform:
        def apply(pixels: np.ndarray) -> np.ndarray:
            seen.append(pixels.shape)
            return np.concatenate([np.zeros_like(pixels[:1]), pixels[1:]])

        return PixelTransform(apply)

    for factory in (to_the_left, darker, blank_row):
        monkeypatch.setitem(AUGMENTATIONS, factory.__name__, factory)
    named = {"blank_row": {}, "darker": {"by": 4}, "to_the_left": {}}
    augmentation = make_augmentation(named, SMALL, 0)
    seen.clear()
    (pixels,) = augmentation(picture, 0).arrays["pixels"]
    assert seen == [(48, 64), (24, 32), (32, 24, 3)] and augmentation.draft == (48, 64)
    assert not pixels[0].any()
    assert np.array_equal(pixels[1:], np.asarray(picture)[1:32, :24] // 4)
    with pytest.raises(InputError, match=r"darker: .*unexpected keyword argument 'bye'"):
        make_augmentation({"darker": {"bye": 1}}, SMALL, 0)


def test_an_augmentation_that_the_network_cannot_take_is_an_error_and_generators_keep_their_states(monkeypatch):
    monkeypatch.setitem(AUGMENTATIONS, "half", lambda _: ImageTransform(lambda image: image.reduce(2)))
    seed_all(5)
    expected = np.random.random()
    seed_all(5)
    with pytest.raises(InputError, match="the augmented image cannot be an input of the network"):
        make_augmentation({"half": {}}, SMALL, 0)
    make_augmentation({"randaugment": {}, "random_resized_crop": {}, "timm": {}}, SMALL, 0)
    assert np.random.random() == expected


def test_augmentations_are_sent_to_worker_processes():
    named = {"random_resized_crop": {}, "colour": {}, "timm": {}, "erasing": {}}
    sent = pickle.loads(pickle.dumps(make_augmentation(named, SMALL, 3)))
    image = Image.new("RGB", (48, 64), "red")
    assert np.array_equal(
        sent(image, 1).arrays["pixels"], make_augmentation(named, SMALL, 3)(image, 1).arrays["pixels"]
    )
