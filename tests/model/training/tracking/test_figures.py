from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from model.data.channel import read_channel
from model.errors import Problems
from model.images.decode import read_image
from model.labels import mask_scheme
from model.training.tracking.figures import (
    GREY,
    MARGIN,
    MISTAKES,
    TILE,
    confusion_figure,
    drawable,
    fitted_text,
    font,
    mistakes_figure,
)
from model.training.validation import Validation

NAMES = mask_scheme().class_names


def matrix(number: int) -> np.ndarray:
    counts = np.zeros((number, number), int)
    counts[np.arange(number), np.arange(number)] = 9
    counts[0, 1] = 1
    return counts


def colours(image: Image.Image) -> set[str]:
    """Which of the two inks is there: strong blue for right answers, orange for wrong ones."""
    pixels = np.asarray(image).reshape(-1, 3).astype(int)
    blue = ((pixels[:, 2] - pixels[:, 0]) > 30).any()
    orange = ((pixels[:, 0] - pixels[:, 2]) > 15).any()
    return {name for name, there in (("right", blue), ("wrong", orange)) if there}


def test_correct_predictions_are_blue_and_wrong_ones_orange():
    right = matrix(18)
    right[0, 1] = 0
    assert colours(confusion_figure(right, NAMES).image) == {"right"}
    wrong = np.zeros((18, 18), int)
    wrong[3, 4] = 1
    assert colours(confusion_figure(wrong, NAMES).image) == {"wrong"}
    assert colours(confusion_figure(matrix(18), NAMES).image) == {"right", "wrong"}


@pytest.mark.parametrize("number", [2, 18, 60, 200, 1000])
def test_any_number_of_classes_fits(number):
    figure = confusion_figure(matrix(number), [f"the class of number {code}" for code in range(number)])
    assert 90 < figure.image.width < 2300 and 90 < figure.image.height < 2300
    assert figure.text.count("\n") == number + 1


def test_eighteen_classes_have_names_and_readable_cells():
    named = confusion_figure(matrix(18), NAMES).image
    numbered = confusion_figure(matrix(18), ["착용샷"] * 18).image
    assert named.height == numbered.height > 18 * 36
    assert named.width - numbered.width > 100  # columns of names; the font has no Korean letters


def test_a_name_with_letters_missing_in_the_font_is_in_the_text():
    assert drawable("worn/female/60 and over") and not drawable("미분류") and not drawable("half 착용샷")
    assert "| 1 | a\\|b | 9 | 9 |" in confusion_figure(matrix(2), ["미분류", "a|b"]).text


def test_long_names_end_in_points():
    short = fitted_text("incorrect/female/60 and over", 13, 90)
    assert short.startswith("incor") and short.endswith("...") and font(13).getlength(short) <= 90
    assert fitted_text("worn", 13, 90) == "worn"


@pytest.fixture
def validation(faces):
    """84 images, all answered wrong; the surer the later the row."""
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    table = table.take(range(84))
    answers = (table.classes() + 1) % 18
    probabilities = np.zeros((84, 18), np.float32)
    probabilities[np.arange(84), answers] = np.linspace(0.2, 0.9, 84)
    return Validation(table, probabilities, answers, 1.0)


def test_the_grid_shows_the_most_confident_mistakes(validation):
    figure = mistakes_figure(validation)
    assert figure is not None
    lines = figure.text.split("\n")[2:]
    assert [line.split(" | ")[0][2:] for line in lines] == validation.table.locations.paths[:-17:-1]
    assert len(lines) == MISTAKES and figure.image.width > 4 * TILE[0] and figure.image.height > 4 * TILE[1]
    assert lines[0].endswith("| 0.900 |")


def test_blurred_images_of_the_grid_have_8_pixels_per_side_enlarged(validation, monkeypatch):
    figure, blurred = (mistakes_figure(validation, thumbnails) for thumbnails in ("full", "blurred"))
    table, row = validation.table, validation.worst(1)[0]
    small = read_image(table.root, table.locations[row]).resize((6, 8), Image.Resampling.BOX)
    expected = ImageOps.contain(small, TILE)
    left = MARGIN + (TILE[0] - expected.width) // 2
    box = (left, MARGIN, left + expected.width, MARGIN + expected.height)
    difference = np.abs(np.asarray(blurred.image.crop(box), int) - np.asarray(expected, int))
    assert difference.max() <= 4 and blurred.image.size == figure.image.size and blurred.text == figure.text
    assert np.abs(np.asarray(figure.image.crop(box), int) - np.asarray(expected, int)).max() > 50


def test_without_thumbnails_the_mistakes_are_only_a_table(validation):
    figure = mistakes_figure(validation, "none")
    assert figure.image is None and figure.text == mistakes_figure(validation).text


def test_no_mistake_no_grid(validation):
    assert mistakes_figure(replace(validation, answers=validation.classes)) is None


def test_an_image_that_is_gone_is_grey(validation):
    moved = replace(validation, table=replace(validation.table, root=validation.table.root / "gone"))
    figure = mistakes_figure(moved)
    assert figure is not None
    assert figure.image.getpixel((TILE[0] // 2, TILE[1] // 2)) == GREY
    shown = mistakes_figure(validation)
    assert shown is not None and shown.image.getpixel((TILE[0] // 2, TILE[1] // 2)) != GREY
