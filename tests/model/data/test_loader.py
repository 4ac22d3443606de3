"""Batches from worker processes, where shared memory is small too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.data import loader as loading
from model.data.image_locations import ImageLocations
from model.data.loader import ImageDataset, batches, in_order
from model.images.image_location import ImageLocation


@pytest.mark.parametrize("left", [1e3, float("inf")])
def test_batches_arrive_whole_whatever_the_size_of_shared_memory(faces: Path, monkeypatch, caplog, left):
    """Seen for real with an 8 MB /dev/shm: without the pipes torch fails to allocate."""
    monkeypatch.setattr(loading, "shared_memory_left", lambda: left)
    loading.warn_of_small_shared_memory.cache_clear()
    root = faces / "eval" / "images"
    paths = sorted(path.name for path in root.iterdir())[:10]
    locations = ImageLocations(map(ImageLocation, paths))
    dataset = ImageDataset(root, locations, 3, (8, 8), lambda _, draw: torch.full((4, 5, 3), draw).byte())
    loaded = list(batches(dataset, in_order(10, 4), workers=2))
    assert [batch.rows.tolist() for batch in loaded] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for batch in loaded:
        assert batch.pixels is not None and batch.pixels.shape == (len(batch.rows), 4, 5, 3)
        assert batch.pixels[:, 0, 0, 0].tolist() == batch.rows.tolist()
    assert caplog.text.count("--shm-size") == (left == 1e3)
