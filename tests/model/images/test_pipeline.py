"""The input pipeline of a model."""

import numpy as np
import pytest

from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing

SMALL = InputPipeline(Preprocessing(8, 6, channels=1, crop_pct=0.5, mean=(0.5,), std=(0.2,)))


def test_the_views_of_an_image_become_one_array():
    views = [np.full((8, 6, 1), number, np.uint8) for number in range(3)]
    pixels = SMALL.inputs(views).arrays["pixels"]
    assert pixels.shape == (3, 8, 6, 1) and pixels.dtype == np.uint8 and pixels[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert (SMALL.channels, SMALL.draft) == (1, (12, 16))


def test_a_pipeline_is_saved_as_its_preprocessing():
    assert SMALL.to_dict() == SMALL.preprocessing.to_dict() and InputPipeline.from_dict(SMALL.to_dict()) == SMALL
    with pytest.raises(InputError, match="invalid preprocessing: height = 0"):
        InputPipeline.from_dict({**SMALL.to_dict(), "height": 0})
