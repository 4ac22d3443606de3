"""The arrays of a network's input."""

import numpy as np

from model.images.inputs import Inputs


def image(number: int) -> Inputs:
    """Two views."""
    return Inputs({"pixels": np.full((2, 4, 3, 1), number, np.uint8), "code": np.array([[number], [-number]])})


def test_images_are_stacked_merged_by_view_and_taken():
    batch = Inputs.stack([image(number) for number in (1, 2, 3)])
    assert len(batch) == 3 and batch.arrays["pixels"].shape == (3, 2, 4, 3, 1) and batch.arrays["code"].dtype == int
    merged = batch.by_view().arrays
    assert merged["pixels"].shape == (6, 4, 3, 1) and merged["code"].tolist() == [[1], [-1], [2], [-2], [3], [-3]]
    assert np.shares_memory(merged["pixels"], batch.arrays["pixels"])
    for rows in (np.array([0, 2]), np.array([True, False, True])):
        assert batch.take(rows).arrays["code"][:, 0, 0].tolist() == [1, 3]
    assert batch.nbytes == 3 * 2 * 4 * 3 + 3 * 2 * 8


def test_arrays_of_an_image_are_those_of_each_of_its_views():
    both = image(5).with_arrays({"metadata": np.array([7, 8]), "size": np.array(3.0, np.float32)})
    assert list(both.arrays) == ["pixels", "code", "metadata", "size"] and both.arrays["pixels"].shape == (2, 4, 3, 1)
    assert both.arrays["metadata"].tolist() == [[7, 8], [7, 8]] and both.arrays["size"].tolist() == [3.0, 3.0]
    assert image(5).with_arrays({}).arrays.keys() == image(5).arrays.keys()
