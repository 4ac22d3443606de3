"""Embedders: thumbnails against Pillow's pixels, threads, the names of their folders."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.image_dataset import in_order
from model.embeddings.embedders import ThumbnailEmbedder, make_embedders
from model.images.inputs import PIXELS, Inputs
from model.settings.embedder import EmbedderSettings
from tests.model.embeddings.conftest import IMAGES, read_table, row_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("workers", [0, 1, 3, -1])
def test_thumbnails_are_the_pixels_of_the_stretched_image(channel: Path, workers: int) -> None:
    """Reference: Pillow's resize."""
    embedder, table = ThumbnailEmbedder(6, 7), read_table(channel)
    dataset = embedder.dataset(table.root, table.locations)
    rows, keys, features = [], [], []
    for batch, computed in embedder.computed(dataset, in_order(len(table), 3), workers):
        assert batch.inputs is None and len(computed) == len(batch.rows)
        rows += batch.rows.tolist()
        keys += batch.keys.tolist()
        features.append(computed)
    assert rows == list(range(IMAGES)) and keys == table.contents.keys.tolist()
    for location, row in zip(table.locations, np.concatenate(features)):
        with Image.open(channel / location.path) as image:
            expected = np.asarray(image.resize((7, 6), Image.Resampling.BILINEAR), np.float64) / 255 - 0.5
        np.testing.assert_allclose(row.reshape(6, 7, 3), expected, atol=1e-6)


def test_an_unreadable_image_has_no_features(channel: Path) -> None:
    table = read_table(channel)
    embedder = ThumbnailEmbedder()
    (channel / "a" / "2.png").write_bytes(b"no image")
    bad = row_of(table, "a/2.png")
    dataset = embedder.dataset(table.root, table.locations)
    results = list(embedder.computed(dataset, [[(bad, 0), (5, 0)], [(bad, 0)]], workers=1))
    assert [(batch.rows.tolist(), list(batch.unreadable), len(features)) for batch, features in results] == [
        ([5], [bad], 1),
        ([], [bad], 0),
    ]


def test_threads_compute_different_batches_at_the_same_time(channel: Path) -> None:
    together, started = threading.Barrier(3, timeout=20), []

    class Waiting(ThumbnailEmbedder):
        def start_thread(self) -> None:
            started.append(threading.current_thread())

        def __call__(self, inputs: Inputs) -> np.ndarray:
            together.wait()
            return super().__call__(inputs)

    table, embedder = read_table(channel), Waiting()
    results = list(embedder.computed(embedder.dataset(table.root, table.locations), in_order(9, 3), 3))
    assert len(results) == 3 and len(set(started)) == 3


def test_stopping_early_ends_the_threads(channel: Path) -> None:
    table, embedder = read_table(channel), ThumbnailEmbedder()
    results = embedder.computed(embedder.dataset(table.root, table.locations), in_order(IMAGES, 1), 2)
    next(iter(results))
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("embedder")]


def test_names_and_folders_depend_on_size_and_preprocessing() -> None:
    one, same, other = ThumbnailEmbedder(), ThumbnailEmbedder(), ThumbnailEmbedder(12, 14)
    assert (one.name, other.name) == ("thumbnail, 12x12", "thumbnail, 12x14")
    assert one.folder == same.folder and one.folder.startswith("thumbnail-12x12-")
    assert one.folder.rpartition("-")[2] != other.folder.rpartition("-")[2]


def test_the_sizes_of_the_settings_are_made() -> None:
    made = make_embedders(EmbedderSettings(model="thumbnail", sizes=[8, 16]))
    assert [embedder.size for embedder in made] == ["8x8", "16x16"]
    assert [embedder.size for embedder in make_embedders(EmbedderSettings(model="thumbnail"))] == ["12x12"]


def test_thumbnails_import_no_torch(channel: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from exploration.__main__ import main; "
        f"assert main(['embed', {str(channel)!r}, '--model', 'thumbnail', '--cache', {str(channel.parent)!r}]) == 0; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    assert list((channel.parent / "embeddings").glob("thumbnail-*/*.npy"))


def test_pixels_of_a_batch_are_not_changed() -> None:
    pixels = np.full((2, 12, 12, 3), 255, np.uint8)
    features = ThumbnailEmbedder()(Inputs({PIXELS: pixels}))
    assert (pixels == 255).all() and features.dtype == np.float32 and (features == 0.5).all()
