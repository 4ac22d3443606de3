"""Statistics of images, compared with PIL and scipy, and unusual images among usual ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import laplace

from exploration import image_statistics as module
from exploration.image_statistics import NAMES, ImageStatistics, image_statistics, statistics_of, unusual_images
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.images.image_location import ImageLocation
from tests.model.images.test_decode import encoded


def textured(size: tuple[int, int] = (120, 90), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(60, 200, size=(size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))


def measured(content: bytes) -> dict[str, float]:
    return dict(zip(NAMES, statistics_of(content).tolist()))


def test_values_are_those_of_pil_and_scipy() -> None:
    image = textured()
    own, content = measured(encoded(image)), encoded(image)
    luma = np.asarray(image, dtype=float) @ [0.299, 0.587, 0.114]
    assert (own["width"], own["height"], own["bytes"]) == (120, 90, len(content))
    assert own["brightness"] == pytest.approx(luma.mean(), rel=1e-4)
    assert own["contrast"] == pytest.approx(luma.std(), rel=1e-4)
    assert own["blur"] == pytest.approx(laplace(luma)[1:-1, 1:-1].var(), rel=1e-4)


def test_blur_is_measured_at_a_fixed_scale() -> None:
    image = textured((512, 384))
    blurred = image.filter(ImageFilter.GaussianBlur(6))
    sharp, soft, half = (measured(encoded(own))["blur"] for own in (image, blurred, image.reduce(2)))
    assert soft < sharp / 10
    assert sharp == pytest.approx(half, rel=1e-2)


def test_the_size_of_a_reduced_and_of_a_turned_jpeg_is_that_of_the_upright_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    own = measured(encoded(textured((1200, 800)), "JPEG", exif=exif))
    assert (own["width"], own["height"]) == (800, 1200)
    own = measured(encoded(textured((1024, 1023)), "JPEG"))  # decoded at a quarter of the size, it is a square
    assert (own["width"], own["height"]) == (1024, 1023)


@pytest.mark.parametrize(
    ("oddity", "content"),
    [
        ("grey", encoded(textured().convert("L").convert("RGB"), "JPEG", quality=70)),
        ("alpha", encoded(textured().convert("RGBA"))),
        ("cmyk", encoded(textured().convert("CMYK"), "JPEG")),
        ("deep", encoded(Image.fromarray(np.arange(10000, dtype=np.uint16).reshape(100, 100)))),
        ("animated", encoded(textured(), "GIF", save_all=True, append_images=[textured(seed=1)])),
        ("", encoded(textured(), "JPEG")),
        ("", encoded(textured().convert("L"))),
    ],
)
def test_oddities_of_mode_and_format(oddity: str, content: bytes) -> None:
    own = measured(content)
    assert [name for name in module.ODDITIES if own[name]] == [oddity] * bool(oddity)


def table_of(folder: Path, contents: dict[str, bytes], table: Table) -> Table:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    locations = ImageLocations(ImageLocation(name) for name in contents)
    return replace(table.take([0] * len(contents)), root=folder, locations=locations, contents=None)


@pytest.fixture
def table(faces: Path) -> Table:
    from model.data.channel import ChannelOptions, read_channel
    from model.errors import Problems

    table = read_channel(faces / "train", Problems(""), ChannelOptions())
    assert table is not None
    return table


def test_unusual_images_are_found_with_their_reasons(tmp_path: Path, table: Table) -> None:
    usual = {f"{seed}.png": encoded(textured(seed=seed)) for seed in range(12)}
    odd = {
        "dark": textured().point(lambda value: value // 8),
        "bright": textured().point(lambda value: 255 - value // 12),
        "blurred": textured().filter(ImageFilter.GaussianBlur(9)),
        "aspect ratio": textured((300, 40)),
        "tiny": textured((24, 18)),
    }
    channel = table_of(tmp_path, usual | {f"{name}.png": encoded(image) for name, image in odd.items()}, table)
    statistics = image_statistics(channel, workers=2)
    found = unusual_images(statistics)
    paths = channel.locations.paths
    for name in odd:
        assert next(paths[own.row] for own in found if own.kind == name) == f"{name}.png"
    assert not {paths[own.row] for own in found} & set(usual)
    dark = next(own for own in found if own.kind == "dark")
    assert dark.reason == f"mean brightness {dark.value:.0f} of 255; the median is 129" and dark.deviations > 5
    assert [own.kind for own in found] == sorted((own.kind for own in found), key=list(module.CHECKS).index)


def test_contrast_is_an_outlier_by_the_median_absolute_deviation() -> None:
    usual = {name: np.full(21, 100.0) for name in NAMES}
    contrast = np.linspace(40, 60, 21)  # with a low value, median 49, absolute deviation 6
    for value, expected in ((6.0, False), (3.0, True)):
        own = contrast.copy()
        own[10] = value
        statistics = ImageStatistics(**(usual | {"contrast": own}))
        middle = np.median(own)
        spread = 1.4826 * np.median(np.abs(own - middle))
        assert ((middle - value) / spread > 5) == expected == bool(unusual_images(statistics))


def test_unreadable_images_and_an_empty_table_are_no_error(tmp_path: Path, table: Table) -> None:
    channel = table_of(tmp_path, {"a.png": encoded(textured()), "b.png": b"nothing"}, table)
    statistics = image_statistics(channel, workers=1)
    assert np.isnan(statistics.width).tolist() == [False, True]
    assert unusual_images(statistics) == [] == unusual_images(image_statistics(channel.take([])))


def test_statistics_are_cached_by_content(tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    from exploration.channels import ExploredChannel, read_labelled

    settings = ExploredChannel(cache=str(tmp_path))
    checked = read_labelled(settings, table.root).take(range(20))
    fresh = image_statistics(checked, tmp_path, workers=1)
    monkeypatch.setattr(module, "statistics_of", lambda _: pytest.fail("an image was read again"))
    again = image_statistics(checked.take(range(19, -1, -1)), tmp_path, workers=1)
    for name in NAMES:
        assert (getattr(again, name)[::-1] == getattr(fresh, name)).all()
