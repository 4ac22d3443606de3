from __future__ import annotations

import io
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import model.data.pixel_range
from model.data.integrity import check_images
from model.data.pixel_range import find_range, log_range, range_warnings, sample_pixels
from model.data.table import Table
from model.errors import Problems
from tests.model.data.test_integrity import jpeg, make_table


def ramp(top: float, low: float = 0.0) -> np.ndarray:
    return np.linspace(low, top, 1024).reshape(32, 32)


def channel(root: Path, images: list[np.ndarray], form: str = "PNG") -> Table:
    """The table of images and one JPEG, after the integrity check."""
    paths = []
    for number, values in enumerate(images):
        Image.fromarray(values).save(root / f"{number}.{form.lower()}", form)
        paths.append(f"{number}.{form.lower()}")
    (root / "grey.jpg").write_bytes(jpeg())
    table = make_table(root, [*paths, "grey.jpg"])
    contents = check_images(table, Problems("x")).contents
    return replace(table, contents=contents)


def twelve_bits(top: float = 4000, count: int = 12) -> list[np.ndarray]:
    return [ramp(top).astype(np.uint16) for _ in range(count)]


def test_the_range_of_a_channel_depends_on_its_deep_images(tmp_path: Path) -> None:
    table = sample_pixels(channel(tmp_path, twelve_bits()), seed=0, workers=2)
    assert find_range(table) == (0, 4095)
    assert table.contents is not None and table.contents.is_deep.tolist() == [True] * 12 + [False]
    assert np.isnan(table.contents.pixels[12]).all()
    assert find_range(table.take([12])) is None and find_range(table.take([3, 12])) == (0, 4095)


def test_8_bit_data_are_not_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.data.pixel_range, "deep_values", None)  # which would raise
    table = channel(tmp_path, [np.full((8, 8), 7, np.uint8)])
    assert sample_pixels(table, 0) is table and find_range(table) is None
    assert find_range(make_table(tmp_path, ["grey.jpg"])) is None


def test_the_sample_is_limited_and_depends_on_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.data.pixel_range, "SAMPLE", 4)
    table = channel(tmp_path, twelve_bits())
    sampled = [~np.isnan(sample_pixels(table, seed).contents.pixels[:, 0]) for seed in (1, 1, 2)]
    assert [int(rows.sum()) for rows in sampled] == [4, 4, 4]
    assert np.array_equal(sampled[0], sampled[1]) and not np.array_equal(sampled[0], sampled[2])


def test_images_times_16_have_the_range_times_16(tmp_path: Path) -> None:
    (tmp_path / "times").mkdir()
    small = [np.random.default_rng(number).integers(910, 1090, (20, 20)).astype(np.uint16) for number in range(8)]
    one, other = (
        find_range(sample_pixels(channel(folder, images), 0))
        for folder, images in ((tmp_path, small), (tmp_path / "times", [image * 16 for image in small]))
    )
    assert one == (0, 2047) and other == (0, 32767)


def test_float_images_with_an_overshoot_have_the_range_0_to_1(tmp_path: Path) -> None:
    images = [ramp(1).astype(np.float32) for _ in range(6)]
    images[2][5, 5:7] = 1.2, np.nan
    assert find_range(sample_pixels(channel(tmp_path, images, "TIFF"), 0)) == (0, 1)


def test_visibly_clipped_images_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = [*twelve_bits(), ramp(16000).astype(np.uint16)]
    table = sample_pixels(channel(tmp_path, images), 0)
    assert find_range(table) == (0, 4095)
    with caplog.at_level(logging.INFO, "rarebird"):
        log_range(table, (0, 4095))
    assert "13 images of more than 8 bits per channel: pixel values 0 to 4095 become 0 to 255" in caplog.text
    assert (
        "1 of 13 sampled images that is more than 1% of the pixels: 12.png (74%)" in caplog.text
        and "--pixel_range LOW HIGH" in caplog.text
    )
    assert not list(range_warnings(table, (0, 16383)))


def test_images_that_use_a_small_part_of_the_range_are_a_warning(tmp_path: Path) -> None:
    images = [np.linspace(29000, 30500, 400).reshape(20, 20).astype(np.uint16) for _ in range(3)]
    table = sample_pixels(channel(tmp_path, images), 0)
    assert find_range(table) == (0, 32767)
    (warning,) = range_warnings(table, (0, 32767))
    assert "use only a small part of the pixel range 0 to 32767, mostly 29002.4 to 30496.8" in warning
    assert not list(range_warnings(table, (29000, 31000)))


def test_an_image_that_was_deleted_is_skipped_in_the_sample(tmp_path: Path) -> None:
    table = channel(tmp_path, twelve_bits(count=3))
    (tmp_path / "1.png").unlink()
    sampled = sample_pixels(table, 0).contents
    assert np.isnan(sampled.pixels[:, 0]).tolist() == [False, True, False, True]
    content = io.BytesIO()
    Image.new("L", (4, 4)).save(content, "PNG")
    (tmp_path / "1.png").write_bytes(content.getvalue())
    assert np.isnan(sample_pixels(table, 0).contents.pixels[1, 0])
