"""Decodes images: from a file, bytes or a part of a shard to an upright 8-bit RGB or grey image.

Whatever a damaged file leads PIL to raise becomes an UnreadableImage with a reason for people.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from model.images.image_location import ImageLocation
from model.paths import leaves_folder

Shard = tuple[str | Path, int, int]  # a file, and offset and size in bytes of the image in it
Source = str | Path | bytes | BinaryIO | Image.Image | Shard

MODES = {1: "L", 3: "RGB"}  # PIL's modes by number of channels
UPRIGHT = {  # what turns an image upright, by EXIF orientation, https://exiv2.org/tags.html: Exif.Image.Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
EXIF_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")  # in the info of a PIL image
# Measured maxima of the memory of read_source, in bytes per pixel: by format; of images with transparency; of the
# coefficients of a progressive JPEG, which are kept at full size whatever size it is decoded at
PIXEL_MEMORY = {"": 10, "WEBP": 18, "JPEG2000": 20}
TRANSPARENT_MEMORY, COEFFICIENTS_MEMORY = 18, 6
STRIP = 1 << 16  # pixels that are converted in float64 at a time

# PIL warns of odd metadata and of very large images; what matters is raised as UnreadableImage.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableImage(ValueError):
    """An image cannot be read. The message is the reason: its kind and, after a colon, the details."""


def image_source(root: Path, location: ImageLocation) -> Source:
    """The source of a channel's image. UnreadableImage where its path is empty or leaves the channel."""
    if not location.file:
        raise UnreadableImage("no picture is named")
    if leaves_folder(location.file):
        raise UnreadableImage(f"a path out of the channel: {location.file}")
    file = os.path.join(root, location.file)
    return file if location.shard is None else (file, location.offset, location.size)


def read_image(
    root: Path, location: ImageLocation, channels: int = 3, draft: tuple[int, int] | None = None
) -> Image.Image:
    """Reads an image of the channel at root: see read_source."""
    return read_source(image_source(root, location), channels, draft)


def read_source(source: Source, channels: int = 3, draft: tuple[int, int] | None = None) -> Image.Image:
    """Reads an image: upright, 8 bits a channel, transparent parts on white.

    Args:
        source: A path, the bytes of a file, an open file, a part of a shard, or an image that PIL has opened.
        channels: 3 for RGB, 1 for grey.
        draft: Width and height that are needed. A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that is at
            least that large in both, by the decoder itself, which is faster than decoding it whole. An image that PIL
            has opened already is left as it is.

    Raises:
        UnreadableImage: Says why it cannot be read.
    """
    image = open_image(source, draft)
    with _reasons():
        return in_channels(image, channels)


def open_image(source: Source, draft: tuple[int, int] | None = None) -> Image.Image:
    """Decodes an image and turns it upright, in its own mode; the first of several frames or pages. Arguments and
    errors are those of read_source."""
    content = _content(source)
    with _reasons():
        image = content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))
        if image is not content:
            _draft(image, draft)
        image.load()
        method = UPRIGHT.get(_orientation(image))
        if method is None:
            return image
        upright = image.transpose(method)
        for key in EXIF_KEYS:  # it would be turned once more by whoever reads it
            upright.info.pop(key, None)
        return upright


def image_size(source: Source) -> tuple[int, int]:
    """Width and height by the header, before turning upright. Nothing is decoded, and only the header of a file is
    read."""
    if isinstance(source, (str, Path)):
        with _reasons_of_files(), open(source, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise UnreadableImage("empty file")
            with _reasons():
                return Image.open(file).size
    content = _content(source)
    with _reasons():
        return (content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))).size


def decoding_memory(content: bytes, draft: tuple[int, int] | None = None) -> int:
    """Upper bound in bytes of the memory in which read_source reads an encoded image, by its header."""
    if not content:
        raise UnreadableImage("empty file")
    with _reasons():
        image = Image.open(io.BytesIO(content))
        coefficients = image.width * image.height if "progressive" in image.info else 0
        _draft(image, draft)
        per_pixel = PIXEL_MEMORY.get(image.format or "", PIXEL_MEMORY[""])
        if image.has_transparency_data:
            per_pixel = max(per_pixel, TRANSPARENT_MEMORY)
        return image.width * image.height * per_pixel + coefficients * COEFFICIENTS_MEMORY


def in_channels(image: Image.Image, channels: int = 3) -> Image.Image:
    """Converts a decoded image of any mode to RGB (channels 3) or grey (1). ValueError where PIL has no conversion."""
    mode = MODES[channels]
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Converts grey of more than 8 bits a pixel to 8 bits.

    16 bits are scaled by 1/257. 32-bit integers and floats have no agreed range: taken is the first of 0 to 1 (floats),
    0 to 255 and 0 to 65535 that holds every pixel, otherwise the image's own range.
    """
    ranges: tuple[float, ...] = (65535,)  # their upper ends
    if not image.mode.startswith("I;16"):
        ranges = (1, 255, 65535) if image.mode == "F" else (255, 65535)
    # the extremes of the finite pixels
    finite = (values[np.isfinite(values)] for _, values in _strips(image))
    extremes = [(values.min(), values.max()) for values in finite if values.size]
    low = float(min((lowest for lowest, _ in extremes), default=0.0))
    high = float(max((highest for _, highest in extremes), default=0.0))
    top = next((top for top in ranges if low >= 0 and high <= top), None)
    from_zero = top is not None
    top = top or (high - low) or 1.0
    grey = Image.new("L", image.size)
    for upper, values in _strips(image):
        np.nan_to_num(values, copy=False, nan=0.0, posinf=high, neginf=low)
        if not from_zero:
            values -= low
        values *= 255 / top
        np.clip(np.rint(values, out=values), 0, 255, out=values)
        grey.paste(Image.fromarray(values.astype(np.uint8)), (0, upper))
    return grey


def _strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Yields strips of rows as float64 (rows, width), each with the number of its first row. A whole image in float64
    would take two to four times its memory."""
    rows = max(1, STRIP // max(1, image.width))
    for upper in range(0, image.height, rows):
        lower = min(upper + rows, image.height)
        yield upper, np.asarray(image.crop((0, upper, image.width, lower))).astype(np.float64)


def _draft(image: Image.Image, draft: tuple[int, int] | None) -> None:
    """Configures a JPEG's decoder to decode at a smaller size, at least width and height of draft after turning."""
    if draft is not None and image.format in ("JPEG", "MPO"):
        sideways = _orientation(image) >= 5
        image.draft(None, (draft[1], draft[0]) if sideways else draft)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or EXIF is damaged. PIL itself turns a TIFF as it decodes it."""
    if not any(key in image.info for key in EXIF_KEYS):
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # PIL's parsers raise anything on damaged EXIF
        return 1
    return orientation if isinstance(orientation, int) else 1


def _content(source: Source) -> bytes | Image.Image:
    """The encoded bytes of a source, or the image that PIL has opened."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    elif isinstance(source, tuple):
        path, offset, size = source
        with _reasons_of_files(), open(path, "rb") as file:
            file.seek(offset)
            content = file.read(size)
        if 0 < len(content) < size:
            raise UnreadableImage(f"truncated: {len(content):,} of {size:,} bytes from byte {offset:,} of {path}")
    elif isinstance(source, (str, Path)):
        with _reasons_of_files(), open(source, "rb") as file:
            content = file.read()
    else:
        with _reasons_of_files():
            content = source.read()
    if not content:
        raise UnreadableImage("empty file")
    return content


@contextmanager
def _reasons_of_files() -> Iterator[None]:
    """Raises errors of the file system as UnreadableImage."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableImage("no such file") from None
    except IsADirectoryError:
        raise UnreadableImage("a folder, no picture") from None
    except OSError as error:
        raise UnreadableImage(f"cannot be opened: {error.strerror or error}") from error


@contextmanager
def _reasons() -> Iterator[None]:
    """Raises errors of PIL as UnreadableImage."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableImage("cannot be identified as a picture") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"too large: more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from None
    except Exception as error:  # PIL's decoders raise anything on damaged files
        text = str(error) or type(error).__name__
        kind = "truncated" if "truncated" in text or isinstance(error, EOFError) else "cannot be decoded"
        raise UnreadableImage(f"{kind}: {text}") from error
