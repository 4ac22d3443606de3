"""TIFFs are written without Pillow, which writes neither 64-bit floats nor several bands, and read back."""

from __future__ import annotations

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from model.images.tiff import is_tiff, read_header, read_pixels

NONE, DEFLATE = 1, 8


def encoded_tiff(
    pixels: np.ndarray,
    *,
    compression: int = NONE,
    predictor: int = 1,
    planar: bool = False,
    tile: tuple[int, int] | None = None,
    order: str = "<",
    rows_per_strip: int = 5,
) -> bytes:
    """A TIFF of pixels (height, width, bands)."""
    height, width, bands = pixels.shape
    planes = [pixels[..., band : band + 1] for band in range(bands)] if planar else [pixels]
    block_height, block_width = tile or (rows_per_strip, width)
    blocks = []
    for plane in planes:
        for top, left in itertools.product(range(0, height, block_height), range(0, width, block_width)):
            block = plane[top : top + block_height, left : left + block_width]
            if tile:
                short = block_height - block.shape[0], block_width - block.shape[1]
                block = np.pad(block, ((0, short[0]), (0, short[1]), (0, 0)))
            content = encoded_block(block.astype(pixels.dtype.newbyteorder(order)), predictor)
            blocks.append(zlib.compress(content) if compression == DEFLATE else content)
    offsets, data = [], b""
    for block in blocks:
        offsets.append(8 + len(data))
        data += block + b"\0" * (len(block) % 2)
    tags = {256: [width], 257: [height], 258: [8 * pixels.dtype.itemsize] * bands, 259: [compression], 262: [1]}
    tags |= {
        277: [bands],
        284: [2 if planar else 1],
        317: [predictor],
        339: ["uif".index(pixels.dtype.kind) + 1] * bands,
    }
    sizes = list(map(len, blocks))
    tags |= {322: [tile[1]], 323: [tile[0]], 324: offsets, 325: sizes} if tile else {273: offsets, 279: sizes}
    if not tile:
        tags[278] = [rows_per_strip]
    start = 8 + len(data)
    behind, entries, at = b"", b"", start + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        values = struct.pack(f"{order}{len(tags[tag])}L", *tags[tag])
        if len(values) > 4:
            values, behind = struct.pack(f"{order}L", at + len(behind)), behind + values
        entries += struct.pack(f"{order}HHL", tag, 4, len(tags[tag])) + values
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, start)
    return header + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + behind


def encoded_block(block: np.ndarray, predictor: int) -> bytes:
    """Rows of a strip or a tile: TIFF 6.0, section 14; Photoshop TIFF Technical Note 3."""
    height, width, bands = block.shape
    if predictor == 2:
        whole = block.view(block.dtype.str.replace("f", "u").replace("i", "u")).astype(f"u{block.dtype.itemsize}")
        differences = whole.copy()
        differences[:, 1:] = whole[:, 1:] - whole[:, :-1]
        return differences.astype(block.dtype.str.replace("f", "u").replace("i", "u")).tobytes()
    if predictor == 3:
        item = block.dtype.itemsize
        big_endian = block.astype(block.dtype.newbyteorder(">"))
        by_byte = np.frombuffer(big_endian.tobytes(), np.uint8).reshape(height, width * bands, item).swapaxes(1, 2)
        flat = by_byte.reshape(height, item * width * bands)
        differences = flat.copy()
        differences[:, bands:] = flat[:, bands:] - flat[:, :-bands]
        return differences.tobytes()
    return block.tobytes()


def values(bands: int, dtype: str) -> np.ndarray:
    return (np.random.default_rng(bands).random((13, 21, bands)) * 200).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f2", "f4", "f8"])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_depth_and_number_of_bands_is_read(dtype: str, bands: int, planar: bool, order: str) -> None:
    pixels = values(bands, dtype)
    content = encoded_tiff(pixels, planar=planar, order=order)
    header = read_header(content)
    assert is_tiff(content) and header.size == (21, 13) and header.bands == bands
    assert np.array_equal(read_pixels(content, header), pixels[..., : 3 if bands > 2 else 1])


@pytest.mark.parametrize("predictor", [1, 2, 3])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_predictors_are_undone_in_strips_and_tiles(predictor: int, tile: tuple | None, compression: int) -> None:
    for dtype, planar, order in itertools.product(["u2", "f4", "f8"], [False, True], "<>"):
        if predictor == 3 and dtype == "u2":
            continue
        pixels = values(3, dtype)
        content = encoded_tiff(
            pixels, predictor=predictor, tile=tile, compression=compression, planar=planar, order=order
        )
        assert np.array_equal(read_pixels(content, read_header(content)), pixels)


def test_every_compression_of_pillow_is_read() -> None:
    pixels = values(1, "f4")
    for compression in ("tiff_lzw", "tiff_deflate", "packbits"):
        content = io.BytesIO()
        Image.fromarray(pixels[..., 0]).save(content, "TIFF", compression=compression)
        header = read_header(content.getvalue())
        assert np.array_equal(read_pixels(content.getvalue(), header), pixels)


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_unsupported_kinds_are_reported_with_the_supported_ones(dtype: str) -> None:
    content = encoded_tiff(values(2, dtype))
    with pytest.raises(ValueError, match=r"TIFF of 2 bands of 64 bits, sample format .; supported are integers of 8"):
        read_header(content)
    jpeg_compressed = encoded_tiff(values(3, "u1"), compression=7)
    with pytest.raises(ValueError, match="compression 7; supported are"):
        read_header(jpeg_compressed)


def test_a_truncated_or_too_large_image_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded_tiff(values(5, "f4"), compression=DEFLATE)
    header = read_header(content)
    with pytest.raises(OSError):
        read_pixels(content[:8] + b"\0" * (len(content) - 8), header)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        read_pixels(content, header)
