"""Images of more than 8 bits per channel, read with a common range, as in a model, and without."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from model.images import deep
from model.images.decode import UnreadableImage, decoding_memory, deep_values, in_channels, read_header, read_source
from model.images.deep import grey_in_8_bits
from tests.model.images.test_tiff import encoded_tiff

TWELVE_BITS = np.random.default_rng(0).integers(0, 4096, (9, 14, 4)).astype(np.uint16)
SCALED = np.rint(TWELVE_BITS / 4095 * 255)


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of uint16 (height, width, 3 or 4), which Pillow does not write. PNG specification, 5 and 11.2.1."""
    height, width, bands = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[bands], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def encoded(image: Image.Image, form: str) -> bytes:
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()


def deep_contents() -> dict[str, bytes]:
    """The same 12-bit pixels in every format of more than 8 bits."""
    grey, colour = TWELVE_BITS[..., 0], TWELVE_BITS[..., :3]
    return {
        "grey PNG": encoded(Image.fromarray(grey), "PNG"),
        "grey TIFF": encoded(Image.fromarray(grey), "TIFF"),
        "int32 TIFF": encoded(Image.fromarray(grey.astype(np.int32)), "TIFF"),
        "float TIFF": encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "float64 TIFF": encoded_tiff(grey[..., None].astype(np.float64)),
        "colour PNG": png_of_16_bits(colour),
        "colour TIFF": encoded_tiff(colour),
        "float colour TIFF": encoded_tiff(colour.astype(np.float32)),
        "five bands": encoded_tiff(np.concatenate([TWELVE_BITS, TWELVE_BITS[..., :1]], 2), planar=True),
    }


@pytest.mark.parametrize("form", deep_contents())
def test_every_format_is_scaled_by_the_same_range(form: str) -> None:
    content = deep_contents()[form]
    assert read_header(content).is_deep and read_header(content).size == (14, 9)
    scaled = np.asarray(read_source(content, pixel_range=(0, 4095)))
    is_colour = "colour" in form or "bands" in form
    assert np.array_equal(scaled, SCALED[..., :3] if is_colour else SCALED[..., [0, 0, 0]])
    values, is_float = deep_values(content)
    assert is_float == ("float" in form) and np.array_equal(values.reshape(9, 14, -1)[..., 0], TWELVE_BITS[..., 0])
    assert decoding_memory(content) >= 9 * 14 * 10


def test_transparent_parts_of_deep_images_become_white() -> None:
    pixels = TWELVE_BITS.copy()
    pixels[..., 3], pixels[:, 7:, 3] = 65535, 0
    scaled = np.asarray(read_source(png_of_16_bits(pixels), pixel_range=(0, 4095)))
    assert np.array_equal(scaled[:, :7], SCALED[:, :7, :3]) and (scaled[:, 7:] == 255).all()


def test_8_bit_images_do_not_depend_on_the_range() -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 8, 3)).astype(np.uint8))
    for form in ("PNG", "TIFF", "BMP"):
        content = encoded(image, form)
        assert not read_header(content).is_deep and deep_values(content) is None
        for pixel_range in (None, (), (0.0, 4095.0)):
            assert np.array_equal(np.asarray(read_source(content, pixel_range=pixel_range)), np.asarray(image))
    bands = np.random.default_rng(2).integers(0, 255, (8, 8, 5)).astype(np.uint8)
    assert np.array_equal(np.asarray(read_source(encoded_tiff(bands))), bands[..., :3])
    assert not read_header(encoded_tiff(bands)).is_deep and deep_values(encoded_tiff(bands)) is None


def test_one_pixel_does_not_make_a_float_or_an_integer_image_black() -> None:
    ramp = np.linspace(0, 1, 768).reshape(24, 32)
    for values, stray in ((ramp.astype(np.float32), 1.01), (ramp.astype(np.float32), 7.0)):
        clean = np.asarray(read_source(encoded(Image.fromarray(values), "TIFF"))).astype(int)
        values[4, 4] = stray
        scaled = np.asarray(read_source(encoded(Image.fromarray(values), "TIFF"))).astype(int)
        assert np.abs(scaled - clean).max(axis=2).sum() <= 255 and clean.mean() == pytest.approx(127.5, abs=1)
    whole = (ramp * 250).astype(np.int32)
    whole[4, 4] = 300
    assert np.asarray(read_source(encoded(Image.fromarray(whole), "TIFF"))).mean() == pytest.approx(125, abs=2)


def test_orientation_of_a_tiff_without_a_mode_is_applied() -> None:
    content = bytearray(encoded_tiff(TWELVE_BITS[..., :3].astype(np.float32)))
    start = struct.unpack("<L", content[4:8])[0]
    planar = content.index(struct.pack("<HHLL", 284, 4, 1, 1), start)  # its default: the tag can be used for another
    content[planar : planar + 12] = struct.pack("<HHLL", 274, 4, 1, 6)
    scaled = np.asarray(read_source(bytes(content), pixel_range=(0, 4095)))
    assert np.array_equal(scaled, np.rot90(SCALED[..., :3], -1))


def test_the_reason_lists_the_supported_formats() -> None:
    content = encoded_tiff(np.zeros((4, 4, 2), np.int64))
    for read in (read_source, read_header, deep_values):
        with pytest.raises(UnreadableImage, match=r"TIFF of 2 bands of 64 bits.*supported are integers"):
            read(content)


def test_without_a_range_each_image_is_scaled_by_its_own_extremes() -> None:
    """As in models of earlier versions."""
    image = Image.fromarray(np.array([[0, 0.5, 2.0]], np.float32))
    assert np.asarray(grey_in_8_bits(image, ())).tolist() == [[0, 0, 2]]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(form: str) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    scaled = np.asarray(read_source(encoded(Image.fromarray(values), form), channels=1))
    assert scaled.ravel().tolist() == np.rint(values / 257).astype(int).ravel().tolist()


def test_big_endian_16_bit_is_read() -> None:
    values = np.arange(256, dtype=">u2").reshape(16, 16) * 257
    image = Image.frombytes("I;16B", (16, 16), values.astype(">u2").tobytes())
    assert np.asarray(in_channels(image, 1)).ravel().tolist() == list(range(256))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 1.0], [0, 64, 255]),
        ([0.0, 64.2, 255.0], [0, 64, 255]),
        ([0.0, 25700.0, 65535.0], [0, 100, 255]),
        ([-100.0, 0.0, 100.0], [0, 128, 255]),
        ([np.nan, 0.5, np.inf], [0, 128, 128]),
        ([7e9, 7e9, 7e9], [0, 0, 0]),
    ],
)
def test_without_a_range_float_tiffs_are_scaled_by_the_range_that_contains_them(
    values: list[float], expected: list[int]
) -> None:
    """As in models of earlier versions."""
    content = encoded(Image.fromarray(np.array([values], np.float32)), "TIFF")
    scaled = np.asarray(read_source(content, channels=1, pixel_range=())).astype(int)
    assert scaled[0] == pytest.approx(expected, abs=1)


def test_32_bit_integers_are_scaled_by_the_range_that_contains_them() -> None:
    for values, expected in (([0, 9, 255], [0, 9, 255]), ([0, 257, 65535], [0, 1, 255]), ([-5, 0, 5], [0, 128, 255])):
        image = Image.fromarray(np.array([values], np.int32))
        for guessed in (None, ()):
            assert np.asarray(in_channels(image, 1, guessed))[0] == pytest.approx(expected, abs=1)


def by_the_whole_array(image: Image.Image) -> np.ndarray:
    """Reference: the conversion of the whole image, which is done in strips for models without a range."""
    values = np.asarray(image).astype(np.float64)
    tops: tuple[float, ...] = (65535,)
    if not image.mode.startswith("I;16"):
        tops = (1, 255, 65535) if image.mode == "F" else (255, 65535)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    values = np.nan_to_num(values, nan=0.0, posinf=high, neginf=low)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None:
        values, top = values - low, (high - low) or 1.0
    return np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("strip", [1, 100, 1 << 20])
def test_converting_in_strips_equals_converting_the_whole_image(monkeypatch: pytest.MonkeyPatch, strip: int) -> None:
    monkeypatch.setattr(deep, "STRIP", strip)
    draw = np.random.default_rng(strip)
    shape = (37, 23)
    odd = (draw.random(shape) * 200 - 20).astype(np.float32)
    odd[5, 5:8] = np.nan, np.inf, -np.inf
    nothing = np.full(shape, np.nan, np.float32)
    arrays = [
        *[draw.integers(0, top, shape).astype(np.uint16) for top in (256, 65536)],
        *[draw.integers(low, top, shape).astype(np.int32) for low, top in ((0, 256), (0, 65536), (-(2**31), 2**31))],
        *[(draw.random(shape) * top).astype(np.float32) for top in (1, 255, 65535, 1e30)],
        *(odd, nothing),
    ]
    images = [*map(Image.fromarray, arrays), Image.frombytes("I;16B", shape[::-1], arrays[1].astype(">u2").tobytes())]
    for image in images:
        np.testing.assert_array_equal(np.asarray(in_channels(image, 1, ())), by_the_whole_array(image))


def test_converting_a_deep_image_only_needs_memory_for_strips() -> None:
    image = Image.new("I;16", (3000, 3000), 5)
    tracemalloc.start()
    in_channels(image, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40 * deep.STRIP
