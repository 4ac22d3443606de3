"""Batches from worker processes, also with little shared memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.data import loader as loading
from model.data.image_dataset import ImageDataset, in_order
from model.data.image_locations import ImageLocations
from model.data.loader import TransportedBatch, batches
from model.images.image_location import ImageLocation
from model.images.inputs import Inputs


class Draws:
    """A transform whose arrays have the value of the draw."""

    channels, draft, pixel_range = 3, (8, 8), ()

    def __call__(self, image: object, draw: int) -> Inputs:
        return Inputs({"pixels": np.full((1, 4, 5, 3), draw, np.uint8), "code": np.full((1, 2), 1000 * draw)})


def ten_images(faces: Path) -> ImageDataset:
    root = faces / "eval" / "images"
    paths = sorted(path.name for path in root.iterdir())[:10]
    return ImageDataset(root, ImageLocations(map(ImageLocation, paths)), Draws())


@pytest.mark.parametrize("left", [1e3, float("inf")])
def test_batches_are_complete_for_every_size_of_shared_memory(faces: Path, monkeypatch, caplog, left):
    """Observed with an 8 MB /dev/shm: without pipes, torch fails to allocate memory."""
    monkeypatch.setattr(loading, "shared_memory_left", lambda: left)
    loading.warn_of_small_shared_memory.cache_clear()
    loaded = list(batches(ten_images(faces), in_order(10, 4), workers=2))
    assert [batch.rows.tolist() for batch in loaded] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for batch in loaded:
        assert batch.inputs is not None
        pixels, code = batch.inputs.arrays["pixels"], batch.inputs.arrays["code"]
        assert pixels.shape == (len(batch.rows), 1, 4, 5, 3) and pixels.dtype == np.uint8
        assert pixels[:, 0, 0, 0, 0].tolist() == batch.rows.tolist()
        assert code[:, 0].tolist() == [[1000 * row] * 2 for row in batch.rows.tolist()]
        assert pixels.flags.writeable  # or torch.from_numpy warns
    assert caplog.text.count("--shm-size") == (left == 1e3)


@pytest.mark.parametrize("left", [1e3, float("inf")])
def test_workers_send_tensors_if_shared_memory_is_free_otherwise_arrays(faces, monkeypatch, left):
    """torch sends only tensors through shared memory."""
    sent = []
    monkeypatch.setattr(loading, "shared_memory_left", lambda: left)
    monkeypatch.setattr(TransportedBatch, "batch", lambda self: sent.append(self) or self)
    list(batches(ten_images(faces), in_order(10, 10), workers=1))
    (batch,) = sent
    arrays, empty = (batch.piped, batch.tensors) if left == 1e3 else (batch.tensors, batch.piped)
    assert empty is None and list(arrays) == ["pixels", "code"]
    assert all(isinstance(array, np.ndarray if left == 1e3 else torch.Tensor) for array in arrays.values())
    if left != 1e3:
        assert all(tensor.is_shared() for tensor in arrays.values())


@pytest.mark.parametrize("piped", [False, True])
def test_the_arrays_of_a_pinned_batch_share_its_page_locked_memory(monkeypatch, piped):
    """pin_memory requires a GPU; here it makes a copy, which the batch must return and keep alive."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self + 1)
    arrays = {"pixels": np.zeros((2, 1, 4, 4, 3), np.uint8)}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    sent = TransportedBatch(np.arange(2), None if piped else tensors, arrays if piped else None, {})
    inputs = sent.pin_memory().batch().inputs
    assert inputs is not None and (inputs.arrays["pixels"] == 1).all() and sent.piped is None
    assert torch.from_numpy(inputs.arrays["pixels"]).data_ptr() == sent.tensors["pixels"].data_ptr()
    assert isinstance(inputs.arrays["pixels"].base, torch.Tensor)


def test_a_batch_without_a_readable_image_has_no_inputs(tmp_path):
    dataset = ImageDataset(tmp_path, ImageLocations([ImageLocation("missing.png")]), Draws())
    for workers in (0, 1):
        (batch,) = batches(dataset, in_order(1, 4), workers)
        assert batch.inputs is None and batch.rows.tolist() == [] and "no such file" in batch.unreadable[0]
