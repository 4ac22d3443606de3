"""Images as inputs, loaded in batches by threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.image_dataset import ImageDataset, collate, in_order, thread_batches, unreadable_images
from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation
from model.images.inputs import Inputs
from model.runtime.workers import AHEAD

ROOT = Path(__file__).resolve().parents[3]
NUMBER = 20


class Means:
    """A transform: the mean of the image, and the draw. Records the threads that call it; each waits at its first
    call for the requested number of threads."""

    channels, draft, pixel_range = 3, (8, 8), ()

    def __init__(self, threads: int = 1):
        self.together, self.threads = threading.Barrier(threads, timeout=20), set()

    def __call__(self, image: Image.Image, draw: int) -> Inputs:
        if threading.current_thread() not in self.threads:
            self.threads.add(threading.current_thread())
            self.together.wait()
        time.sleep(0.002 * (draw % 3))
        return Inputs({"pixels": np.full((1, 2, 2, 3), np.asarray(image).mean(), np.uint8), "draw": np.array([draw])})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty grey images whose colour is their number; the eighth is unreadable."""
    for number in range(NUMBER):
        Image.new("RGB", (5, 4), (10 * number,) * 3).save(tmp_path / f"{number}.png")
    (tmp_path / "7.png").write_bytes(b"no image")
    return tmp_path


def dataset(root: Path, transform: Means) -> ImageDataset:
    return ImageDataset(root, ImageLocations(ImageLocation(f"{number}.png") for number in range(NUMBER)), transform)


def test_an_item_is_the_inputs_or_the_reason_why_the_image_is_unreadable(root):
    images = dataset(root, Means())
    row, inputs, _ = images[3, 99]
    assert row == 3 and inputs.arrays["draw"].tolist() == [99] and (inputs.arrays["pixels"] == 30).all()
    row, reason, _ = images[7, 0]
    assert row == 7 and isinstance(reason, str) and len(images) == NUMBER
    batch = collate([images[3, 9], (row, reason, 0), images[4, 8]])
    assert batch.rows.tolist() == [3, 4] and batch.unreadable == {7: reason}
    assert batch.inputs.arrays["draw"].tolist() == [[9], [8]]
    assert collate([(row, reason, 0)]).inputs is None
    assert "7.png: " in str(unreadable_images(images, batch.unreadable))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_of_threads_come_in_order(root, workers):
    transform = Means(threads=max(1, workers))
    loaded = list(thread_batches(dataset(root, transform), in_order(NUMBER, 3), workers))
    assert [row for batch in loaded for row in batch.rows.tolist()] == [row for row in range(NUMBER) if row != 7]
    assert [list(batch.unreadable) for batch in loaded] == [[7] if 6 in batch.rows else [] for batch in loaded]
    assert [len(batch.rows) for batch in loaded] == [3, 3, 2, 3, 3, 3, 2]
    for batch in loaded:
        assert batch.inputs.arrays["pixels"][:, 0, 0, 0, 0].tolist() == [10 * row for row in batch.rows]
        assert batch.inputs.arrays["draw"][:, 0].tolist() == batch.rows.tolist()
    assert (threading.current_thread() in transform.threads) == (workers == 0)
    assert len(transform.threads) == max(1, workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_read_a_bounded_number_of_batches_ahead_and_end_with_the_consumer(root, workers):
    transform = Means()
    asked: list[int] = []

    def items():
        for batch in in_order(100 * NUMBER, 1):
            asked.append(batch[0][0])
            yield [(row % 7, draw) for row, draw in batch]

    loaded = thread_batches(dataset(root, transform), items(), workers)
    next(loaded), next(loaded)
    assert len(asked) == AHEAD * workers + 2
    loaded.close()
    assert not any(thread.is_alive() for thread in transform.threads)


@pytest.mark.parametrize("workers", [0, 2])
def test_exceptions_of_a_transform_reach_the_consumer(root, workers):
    class Broken(Means):
        def __call__(self, image: Image.Image, draw: int) -> Inputs:
            if draw == 5:
                raise MemoryError("out of memory")
            return super().__call__(image, draw)

    transform = Broken()
    with pytest.raises(MemoryError, match="out of memory"):
        list(thread_batches(dataset(root, transform), in_order(NUMBER, 2), workers))
    assert workers == 0 or not any(thread.is_alive() for thread in transform.threads)


def test_batches_load_without_torch(root):
    """As in a backend without torch: importing torch fails."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'torchvision', 'timm')))\n"
        "from pathlib import Path\n"
        "from model.data.image_dataset import ImageDataset, in_order, thread_batches\n"
        "from model.data.image_locations import ImageLocations\n"
        "from model.images.image_location import ImageLocation\n"
        "from model.images.pipeline import InputPipeline\n"
        "from model.images.preprocessing import Preprocessing\n"
        "from model.images.tta import Views\n"
        "locations = ImageLocations([ImageLocation('1.png'), ImageLocation('2.png')])\n"
        "dataset = ImageDataset(Path(sys.argv[1]), locations, Views(InputPipeline(Preprocessing(4, 4)), 2))\n"
        "(batch,) = thread_batches(dataset, in_order(2, 8), 2)\n"
        "print(batch.inputs.arrays['pixels'].shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(root)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(2, 2, 4, 4, 3)\n"), done.stderr
