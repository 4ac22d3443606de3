"""Reads TIFFs that Pillow has no mode for: floats of 16 and 64 bits, colour of more than 8 bits, any number of bands.

The tags are defined in TIFF Revision 6.0 (Adobe, 1992), the predictor of floats in Adobe Photoshop TIFF Technical
Note 3. Pillow decompresses: it gets the same strips or tiles as an 8-bit image whose pixels are the bytes of the rows.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, BANDS, ROWS_PER_STRIP, STRIP_SIZES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, SAMPLE_FORMAT = 317, 322, 323, 324, 325, 339

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0")  # the last is BigTIFF, which Pillow only reads in little-endian order
KINDS = {1: "u", 2: "i", 3: "f"}  # NumPy's kind by sample format
COMPRESSIONS = {1, 5, 8, 32773, 32946, 34925, 50000}  # none, LZW, deflate, PackBits, deflate, LZMA, Zstandard
READABLE = (
    "supported are integers of 8, 16 and 32 bits and floats of 16, 32 and 64 bits, uncompressed or compressed with "
    "LZW, deflate, PackBits, LZMA or Zstandard"
)


@dataclass(frozen=True)
class TiffHeader:
    """The first directory of a TIFF.

    Attributes:
        tags: Values by tag.
        width, height: Size in pixels.
        bands: Number of samples per pixel.
        dtype: Type of a sample, in the byte order of the file.
    """

    tags: dict[int, Any]
    width: int
    height: int
    bands: int
    dtype: np.dtype[Any]

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def read_bands(self) -> int:
        """Number of bands to read: the first three if there are at least three, otherwise the first."""
        return 3 if self.bands >= 3 else 1


def is_tiff(content: bytes) -> bool:
    """Whether the bytes begin with the signature of a TIFF."""
    return content[:4] in SIGNATURES


def read_header(content: bytes) -> TiffHeader:
    """Reads the header of a TIFF. Raises ValueError if its format is not supported."""
    file = io.BytesIO(content)
    directory = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if content[2:3] == b"+" else 8])
    file.seek(directory.next)
    directory.load(file)
    tags = {tag: directory[tag] for tag in directory}
    bits, formats = _all(tags.get(BITS, 1)), _all(tags.get(SAMPLE_FORMAT, 1))
    compression = tags.get(COMPRESSION, 1)
    kind = KINDS.get(formats[0], "")
    described = f"TIFF of {tags.get(BANDS, 1)} bands of {bits[0]} bits, sample format {formats[0]}"
    if len({*bits}) != 1 or len({*formats}) != 1 or f"{kind}{bits[0]}" not in (
        "u8", "u16", "u32", "i8", "i16", "i32", "f16", "f32", "f64"
    ):  # fmt: skip
        raise ValueError(f"{described}; {READABLE}")
    if compression not in COMPRESSIONS:
        raise ValueError(f"{described}, compression {compression}; {READABLE}")
    order = "<" if content[:2] == b"II" else ">"
    dtype = np.dtype(f"{order}{kind}{bits[0] // 8}")
    return TiffHeader(tags, tags[WIDTH], tags[HEIGHT], tags.get(BANDS, 1), dtype)


def read_pixels(content: bytes, header: TiffHeader) -> NDArray[Any]:
    """The pixels of the first page, (height, width, header.read_bands), in the machine's byte order."""
    limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if limit and header.width * header.height > limit:
        raise Image.DecompressionBombError
    tags = header.tags
    is_tiled = TILE_OFFSETS in tags
    offsets = _all(tags[TILE_OFFSETS if is_tiled else STRIP_OFFSETS])
    sizes = _all(tags[TILE_SIZES if is_tiled else STRIP_SIZES])
    if tags.get(PLANAR, 1) == 1:
        pixels = _plane(content, header, offsets, sizes, header.bands)[..., : header.read_bands]
    else:
        # The bands are stored one after the other, each in its own strips or tiles
        each = len(offsets) // header.bands
        parts = [slice(band * each, (band + 1) * each) for band in range(header.read_bands)]
        pixels = np.concatenate([_plane(content, header, offsets[part], sizes[part], 1) for part in parts], axis=2)
    return pixels.astype(header.dtype.newbyteorder("="), copy=False)


def _plane(
    content: bytes, header: TiffHeader, offsets: tuple[int, ...], sizes: tuple[int, ...], bands: int
) -> NDArray[Any]:
    """The pixels (height, width, bands) of these strips or tiles."""
    # Predictors restart at the left edge of each strip or tile; tiles may exceed the right edge of the image
    block = header.tags.get(TILE_WIDTH, header.width)
    blocks = -(-header.width // block)
    item = header.dtype.itemsize
    rows = _raw_rows(content, header, offsets, sizes, block * bands * item, blocks)
    by_block = rows.reshape(header.height, blocks, block * bands * item)
    predictor = header.tags.get(PREDICTOR, 1)
    values: NDArray[Any]
    if predictor == 2:  # differences of samples
        samples = by_block.view(header.dtype.str.replace("f", "u").replace("i", "u"))
        native = samples.dtype.newbyteorder("=")
        differences = samples.reshape(header.height, blocks, block, bands).astype(native)
        values = np.cumsum(differences, axis=2, dtype=native).view(header.dtype.newbyteorder("="))
    elif predictor == 3:  # differences of bytes, stored as one plane per byte, the most significant first
        differences = by_block.reshape(header.height, blocks, block * item, bands)
        planes = np.cumsum(differences, axis=2, dtype=np.uint8).reshape(header.height, blocks, item, block * bands)
        values = np.ascontiguousarray(planes.swapaxes(2, 3)).view(header.dtype.newbyteorder(">"))
    else:
        values = by_block.view(header.dtype)
    return values.reshape(header.height, blocks * block, bands)[:, : header.width]


def _raw_rows(
    content: bytes, header: TiffHeader, offsets: tuple[int, ...], sizes: tuple[int, ...], block: int, blocks: int
) -> NDArray[np.uint8]:
    """The decompressed bytes of these strips or tiles, uint8 (height, blocks * block)."""
    tags: dict[int, tuple[int, ...]]
    tags = {WIDTH: (blocks * block,), HEIGHT: (header.height,), BITS: (8,), BANDS: (1,), PHOTOMETRIC: (1,)}
    tags |= {tag: (header.tags.get(tag, 1),) for tag in (COMPRESSION, FILL_ORDER)}
    moved = tuple(offset + 8 for offset in offsets)
    if TILE_OFFSETS in header.tags:
        tags |= {TILE_WIDTH: (block,), TILE_HEIGHT: (header.tags[TILE_HEIGHT],)}
        tags |= {TILE_OFFSETS: moved, TILE_SIZES: sizes}
    else:
        rows = min(header.tags.get(ROWS_PER_STRIP, header.height), header.height)
        tags |= {ROWS_PER_STRIP: (rows,), STRIP_OFFSETS: moved, STRIP_SIZES: sizes}
    padded = content.ljust(len(content) + len(content) % 2, b"\0")
    end = 8 + len(padded)
    file = io.BytesIO(struct.pack("<4sL", SIGNATURES[0], end) + padded + _directory(tags, end))
    return np.array(TiffImagePlugin.TiffImageFile(file), np.uint8)


def _directory(tags: dict[int, tuple[int, ...]], offset: int) -> bytes:
    """A directory of 16- and 32-bit integers for a little-endian TIFF, to be written at offset."""
    entries, behind = [struct.pack("<H", len(tags))], b""
    offset += 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        kind = 3 if len(values) == 1 and values[0] < 1 << 16 else 4
        packed = struct.pack(f"<{len(values)}L", *values)
        if len(values) > 1:
            packed, behind = struct.pack("<L", offset + len(behind)), behind + packed
        entries.append(struct.pack("<HHL", tag, kind, len(values)) + packed)
    return b"".join(entries) + bytes(4) + behind


def _all(values: Any) -> tuple[int, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)
