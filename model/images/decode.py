"""Decodes images: from a file, bytes or a part of a shard to an upright 8-bit RGB or grey image.

Images of more than 8 bits per channel are scaled by a range of pixel values (model.images.pixel_range). All exceptions
that PIL raises for damaged files become an UnreadableImage with a readable reason.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from model.images.deep import GivenRange, cut_to_8_bits, grey_in_8_bits, is_deep_mode, read_bands
from model.images.image_location import ImageLocation
from model.images.jpeg import with_end
from model.images.tiff import is_tiff
from model.images.tiff import read_header as tiff_header
from model.paths import leaves_folder

Shard = tuple[str | Path, int, int]  # a file, and the offset and size in bytes of an image in it
Source = str | Path | bytes | BinaryIO | Image.Image | Shard

# PIL's modes by number of channels. Unlike RGBA, RGBX is resized without weighting by its fourth channel
MODES = {1: "L", 3: "RGB", 4: "RGBX"}
FOUR_BANDS = ("RGBA", "RGBX", "CMYK")  # modes of the files of four channels
UPRIGHT = {  # makes an image upright, by EXIF orientation, https://exiv2.org/tags.html: Exif.Image.Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
STITCH = "python -m exploration stitch makes one of several files"
JPEGS = ("JPEG", "MPO")  # PIL's names of the format
EXIF_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")  # in the info of a PIL image
# Measured maximum memory of read_source in bytes per pixel: by format; for images with transparency; for the
# coefficients of a progressive JPEG, which are kept at full size even if it is decoded at a smaller size
PIXEL_MEMORY = {"": 10, "WEBP": 18, "JPEG2000": 20}
TRANSPARENT_MEMORY, COEFFICIENTS_MEMORY, DEEP_MEMORY = 18, 6, 24
MAX_TEXT = 64 << 20  # maximum bytes of text and colour profile in a PNG; AI tools and Photoshop write a lot

PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT

# PIL warns about odd metadata and very large images; actual errors are raised as UnreadableImage
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadableImage(ValueError):
    """An image is unreadable. The message is the kind of reason, followed by a colon and details if there are any."""


def image_source(root: Path, location: ImageLocation) -> Source:
    """The source of a channel's image. Raises UnreadableImage if its path is empty or leaves the channel."""
    if not location.file:
        raise UnreadableImage("empty image name")
    if leaves_folder(location.file):
        raise UnreadableImage(f"path outside the channel: {location.file}")
    file = os.path.join(root, location.file)
    return file if location.shard is None else (file, location.offset, location.size)


def allow_pixels(most: int) -> None:
    """Sets the maximum number of pixels of an image, for the whole process; 0 keeps PIL's limit."""
    if most:
        Image.MAX_IMAGE_PIXELS = most / 2  # type: ignore[assignment]  # PIL raises an error above twice this value


def largest_allowed() -> int:
    """The maximum number of pixels of an image."""
    return int(2 * (Image.MAX_IMAGE_PIXELS or sys.maxsize))


def read_image(
    root: Path,
    location: ImageLocation,
    channels: int = 3,
    draft: tuple[int, int] | None = None,
    pixel_range: GivenRange = None,
) -> Image.Image:
    """Reads an image of the channel at root: see read_source."""
    return read_source(image_source(root, location), channels, draft, pixel_range)


def read_source(
    source: Source, channels: int = 3, draft: tuple[int, int] | None = None, pixel_range: GivenRange = None
) -> Image.Image:
    """Reads an image: upright, 8 bits per channel, transparent parts on white.

    Args:
        source: A path, the bytes of a file, an open file, a part of a shard, or an image that PIL has opened.
        channels: 3 for RGB, 1 for grey, 4 for the four bands of an RGBA, RGBX or CMYK image as they are.
        draft: Minimum width and height. A JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 of its size that is
            at least this large, which is faster than decoding it at full size. Ignored for an image that PIL has
            already opened.
        pixel_range: Values that become 0 and 255 in an image of more than 8 bits per channel: see GivenRange.

    Raises:
        UnreadableImage: The image is unreadable; the message is the reason.
    """
    image = open_image(source, draft, pixel_range)
    with _reasons():
        return in_channels(image, channels, pixel_range)


def open_image(source: Source, draft: tuple[int, int] | None = None, pixel_range: GivenRange = None) -> Image.Image:
    """Decodes an image and makes it upright, in its own mode, or in 8 bits if PIL has no mode for it.

    If it has more than one frame or page, the first is read. Arguments and errors are those of read_source.
    """
    content = read_content(source)
    with _reasons():
        if isinstance(content, Image.Image):
            image, orientation = content, _orientation(content)
            image.load()
        elif (opened := _opened(content)) is None or (pixel_range and cut_to_8_bits(opened)):
            bands = read_bands(content)
            image, orientation = bands.in_8_bits(pixel_range), bands.orientation
        else:
            image = _decode(opened, content, draft)
            orientation = _orientation(image)
        method = UPRIGHT.get(orientation)
        if method is None:
            return image
        upright = image.transpose(method)
        for key in EXIF_KEYS:  # otherwise code that applies the orientation would turn the image again
            upright.info.pop(key, None)
        return upright


def _opened(content: bytes) -> Image.Image | None:
    """Opens an image with PIL without decoding it; None for a TIFF that PIL has no mode for."""
    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        if is_tiff(content):
            return None
        raise


def _decode(image: Image.Image, content: bytes, draft: tuple[int, int] | None) -> Image.Image:
    """Decodes an image that PIL has opened from content, including JPEGs that only lack the end marker."""
    try:
        return _load(image, draft)
    except OSError as error:
        if image.format not in JPEGS or "truncated" not in str(error):
            raise
        complete = with_end(content, lambda ended: _load(Image.open(io.BytesIO(ended)), draft))
        if complete is None:
            raise
        return complete


def _load(image: Image.Image, draft: tuple[int, int] | None) -> Image.Image:
    _draft(image, draft)
    image.load()
    return image


def deep_values(source: Source) -> tuple[np.ndarray, bool] | None:
    """The pixels (height, width[, bands]) of an image of more than 8 bits per channel, and whether they are floats.

    None for other images. Errors are those of read_source.
    """
    content = read_content(source)
    with _reasons():
        image = content if isinstance(content, Image.Image) else _opened(content)
        if image is not None and is_deep_mode(image):
            values = np.asarray(image)
        elif isinstance(content, bytes) and (image is None or cut_to_8_bits(image)):
            values = read_bands(content).values
        else:
            return None
        return None if values.dtype == np.uint8 else (values, values.dtype.kind == "f")


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image.

    Attributes:
        size: Width and height in pixels, before the image is made upright.
        is_deep: Whether the image has more than 8 bits per channel.
        mode: PIL's mode; "" for a TIFF that PIL has no mode for.
    """

    size: tuple[int, int]
    is_deep: bool
    mode: str = ""


def read_header(source: Source) -> ImageHeader:
    """Reads only the header of an image, without decoding pixels. Errors are those of read_source."""
    if isinstance(source, (str, Path)):
        with _reasons_of_files(), open(source, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise UnreadableImage("empty file")
            with _reasons():
                try:
                    return _header(Image.open(file))
                except UnidentifiedImageError:
                    source = Path(source)  # a TIFF that PIL has no mode for, or not an image
    content = read_content(source)
    with _reasons():
        image = content if isinstance(content, Image.Image) else _opened(content)
        if image is not None:
            return _header(image)
        assert isinstance(content, bytes)
        tiff = tiff_header(content)
        return ImageHeader(tiff.size, tiff.dtype != np.uint8)


def _header(image: Image.Image) -> ImageHeader:
    return ImageHeader(image.size, is_deep_mode(image) or cut_to_8_bits(image), image.mode)


def decoding_memory(content: bytes, draft: tuple[int, int] | None = None) -> int:
    """Upper bound of the memory in bytes that read_source uses for an encoded image, computed from its header.

    Args:
        content: The bytes of the file.
        draft: As in read_source.
    """
    if not content:
        raise UnreadableImage("empty file")
    with _reasons():
        image = _opened(content)
        if image is None:
            header = tiff_header(content)
            return header.width * header.height * (header.bands * header.dtype.itemsize * 4 + DEEP_MEMORY)
        coefficients = image.width * image.height if "progressive" in image.info else 0
        _draft(image, draft)
        per_pixel = PIXEL_MEMORY.get(image.format or "", PIXEL_MEMORY[""])
        if image.has_transparency_data:
            per_pixel = max(per_pixel, TRANSPARENT_MEMORY)
        if cut_to_8_bits(image):
            per_pixel += DEEP_MEMORY
        return image.width * image.height * per_pixel + coefficients * COEFFICIENTS_MEMORY


def in_channels(image: Image.Image, channels: int = 3, pixel_range: GivenRange = None) -> Image.Image:
    """Converts a decoded image of any mode to RGB (channels 3) or grey (1), or one of four bands to four channels.

    Arguments are those of read_source. Raises ValueError if PIL cannot convert the mode.
    """
    mode = MODES[channels]
    if channels == 4:
        if image.mode not in FOUR_BANDS:
            raise UnreadableImage(f"not an image of four channels: mode {image.mode}; {STITCH}")
        return Image.merge(mode, image.split())
    if image.mode == mode and "transparency" not in image.info:
        return image
    if is_deep_mode(image):
        image = grey_in_8_bits(image, pixel_range)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return image.convert(mode)


def _draft(image: Image.Image, draft: tuple[int, int] | None) -> None:
    """Configures the decoder of a JPEG to decode at a smaller size, at least `draft` once the image is upright."""
    if draft is not None and image.format in JPEGS:
        sideways = _orientation(image) >= 5
        image.draft(None, (draft[1], draft[0]) if sideways else draft)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if it is missing or EXIF is damaged. TIFFs are made upright by PIL itself."""
    if not any(key in image.info for key in EXIF_KEYS):
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # PIL's parsers raise many kinds of exceptions for damaged EXIF
        return 1
    return orientation if isinstance(orientation, int) else 1


def read_content(source: Source) -> bytes | Image.Image:
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
    """Converts errors of the file system to UnreadableImage."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableImage("no such file") from None
    except IsADirectoryError:
        raise UnreadableImage("a folder, not an image") from None
    except OSError as error:
        raise UnreadableImage(f"cannot be opened: {error.strerror or error}") from error


@contextmanager
def _reasons() -> Iterator[None]:
    """Converts errors of PIL to UnreadableImage."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadableImage("cannot be identified as an image") from None
    except Image.DecompressionBombError:
        most = int(2 * (Image.MAX_IMAGE_PIXELS or 0))
        raise UnreadableImage(f"too large: more than {most:,} pixels; --max_pixels raises the limit") from None
    except Exception as error:  # PIL's decoders raise many kinds of exceptions for damaged files
        text = str(error) or type(error).__name__
        kind = "truncated" if "truncated" in text or isinstance(error, EOFError) else "cannot be decoded"
        raise UnreadableImage(f"{kind}: {text}") from error
