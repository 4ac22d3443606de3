from itertools import pairwise

import numpy as np

from exploration.portrait import Portrait


def test_age_changes_the_drawing_year_by_year() -> None:
    """One person drawn at every age: no year changes the image as much as the whole span does."""

    def at(age: int) -> np.ndarray:
        portrait = Portrait("female", age, (48, 64), np.random.default_rng(5))
        return np.asarray(portrait.picture("none", 0), dtype=float)

    pictures = [at(age) for age in range(18, 71)]
    steps = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert max(steps) < 0.5 * np.abs(pictures[-1] - pictures[0]).mean()


def test_images_of_a_person_differ_in_position_and_light() -> None:
    portrait = Portrait("male", 40, (48, 64), np.random.default_rng(5))
    pictures = [np.asarray(portrait.picture("worn", 0), dtype=float) for _ in range(14)]
    brightness = [picture.mean() for picture in pictures]
    assert np.std(brightness) > 0.04 * np.mean(brightness)
    hair = [np.argwhere(picture.sum(2) < 0.5 * picture.sum(2).mean()).mean(0) for picture in pictures]
    assert np.std(hair, axis=0).min() > 0.5  # pixels, down and across
