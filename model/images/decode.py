"""From a file, bytes or a part of another file to an upright picture of 8 bits; or a reason, for a person, why not."""

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

from model.images.location import ImageLocation
from model.paths import leaves_folder

Shard = tuple[str | Path, int, int]  # a file, offset and size in bytes of the picture in it
Source = str | Path | bytes | BinaryIO | Image.Image | Shard

MODES = {1: "L", 3: "RGB"}
UPRIGHT = {  # by EXIF orientation, https://exiv2.org/tags.html: Exif.Image.Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Bytes a pixel that read_source takes at most, as measured: by format, where parts are transparent, and of a
# progressive JPEG's coefficients, which are kept at full size whatever it is decoded at
PIXEL_MEMORY = {"": 10, "WEBP": 18, "JPEG2000": 20}
TRANSPARENT_MEMORY, COEFFICIENTS_MEMORY = 18, 6
STRIP = 1 << 16  # pixels that are worked on in float64 at a time
EXIF_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")

# PIL warns of odd metadata and of very large pictures; what matters comes back as an UnreadablePicture.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnreadablePicture(ValueError):
    """A picture that cannot be read. Its text is the reason: its kind and, after a colon, what there is to say."""


def picture_source(root: Path, location: ImageLocation) -> Source:
    """The source of a channel's image. UnreadablePicture where its path is empty or leaves the channel."""
    if not location.file:
        raise UnreadablePicture("no picture is named")
    if leaves_folder(location.file):
        raise UnreadablePicture(f"a path out of the channel: {location.file}")
    file = os.path.join(root, location.file)
    return file if location.shard is None else (file, location.offset, location.size)


def read_picture(
    root: Path, location: ImageLocation, channels: int = 3, draft: tuple[int, int] | None = None
) -> Image.Image:
    """Reads an image of the channel at root: see read_source."""
    return read_source(picture_source(root, location), channels, draft)


def read_source(source: Source, channels: int = 3, draft: tuple[int, int] | None = None) -> Image.Image:
    """A picture upright, in RGB (channels 3) or grey (1), 8 bits each, transparent parts on white.

    draft: width and height; a JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that is at least that in both
    (by the decoder itself, which is faster than decoding it whole); a picture that PIL has opened already is left as it
    is. UnreadablePicture tells why it cannot be read.
    """
    picture = open_picture(source, draft)
    with _reasons():
        return in_channels(picture, channels)


def open_picture(source: Source, draft: tuple[int, int] | None = None) -> Image.Image:
    """A picture decoded and upright, in its own mode; of several frames or pages the first. draft: as read_source."""
    content = _content(source)
    with _reasons():
        picture = content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))
        if picture is not content:
            _draft(picture, draft)
        picture.load()
        method = UPRIGHT.get(_orientation(picture))
        if method is None:
            return picture
        upright = picture.transpose(method)
        for key in EXIF_KEYS:
            upright.info.pop(key, None)
        return upright


def picture_size(source: Source) -> tuple[int, int]:
    """Width and height as the header tells them, before any turning; nothing is decoded, of a file only the header
    read."""
    if isinstance(source, (str, Path)):
        with _reasons_of_files(), open(source, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise UnreadablePicture("empty file")
            with _reasons():
                return Image.open(file).size
    content = _content(source)
    with _reasons():
        return (content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))).size


def decoding_memory(content: bytes, draft: tuple[int, int] | None = None) -> int:
    """Bytes of memory that read_source takes at most for an encoded picture, by its header; nothing is decoded."""
    if not content:
        raise UnreadablePicture("empty file")
    with _reasons():
        picture = Image.open(io.BytesIO(content))
        whole = picture.width * picture.height if "progressive" in picture.info else 0
        _draft(picture, draft)
        a_pixel = PIXEL_MEMORY.get(picture.format or "", PIXEL_MEMORY[""])
        if picture.has_transparency_data:
            a_pixel = max(a_pixel, TRANSPARENT_MEMORY)
        return picture.width * picture.height * a_pixel + whole * COEFFICIENTS_MEMORY


def in_channels(picture: Image.Image, channels: int = 3) -> Image.Image:
    """A decoded picture of any mode in RGB (channels 3) or grey (1). ValueError where PIL knows no way."""
    mode = MODES[channels]
    if picture.mode == mode and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        picture = white
    return picture.convert(mode)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled by 1/257; of 32-bit integers and floats, which have no agreed range, the first of 0 to 1
    (floats), 0 to 255 and 0 to 65535 that holds every pixel, else the picture's own range stretched."""
    tops: tuple[float, ...] = (65535,)
    if not picture.mode.startswith("I;16"):
        tops = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
    finite = (values[np.isfinite(values)] for _, values in _strips(picture))
    ranges = [(values.min(), values.max()) for values in finite if values.size]
    low = float(min((lowest for lowest, _ in ranges), default=0.0))
    high = float(max((highest for _, highest in ranges), default=0.0))
    top = next((top for top in tops if low >= 0 and high <= top), None)
    from_zero = top is not None
    top = top or (high - low) or 1.0
    grey = Image.new("L", picture.size)
    for upper, values in _strips(picture):
        np.nan_to_num(values, copy=False, nan=0.0, posinf=high, neginf=low)
        if not from_zero:
            values -= low
        values *= 255 / top
        np.clip(np.rint(values, out=values), 0, 255, out=values)
        grey.paste(Image.fromarray(values.astype(np.uint8)), (0, upper))
    return grey


def _strips(picture: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Its rows' values, float64, some at a time, and where the first of them is: a pixel takes 2 or 4 bytes in the
    picture and 8 here."""
    rows = max(1, STRIP // max(1, picture.width))
    for upper in range(0, picture.height, rows):
        lower = min(upper + rows, picture.height)
        yield upper, np.asarray(picture.crop((0, upper, picture.width, lower))).astype(np.float64)


def _draft(picture: Image.Image, draft: tuple[int, int] | None) -> None:
    if draft is not None and picture.format in ("JPEG", "MPO"):
        sideways = _orientation(picture) >= 5
        picture.draft(None, (draft[1], draft[0]) if sideways else draft)


def _orientation(picture: Image.Image) -> int:
    """EXIF's, 1 to 8; 1 where there is none or its EXIF is damaged. PIL turns a TIFF itself when it decodes it."""
    if not any(key in picture.info for key in EXIF_KEYS):
        return 1
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # PIL's parsers raise whatever damaged EXIF leads them to
        return 1
    return orientation if isinstance(orientation, int) else 1


def _content(source: Source) -> bytes | Image.Image:
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
            raise UnreadablePicture(f"truncated: {len(content):,} of {size:,} bytes from byte {offset:,} of {path}")
    elif isinstance(source, (str, Path)):
        with _reasons_of_files(), open(source, "rb") as file:
            content = file.read()
    else:
        with _reasons_of_files():
            content = source.read()
    if not content:
        raise UnreadablePicture("empty file")
    return content


@contextmanager
def _reasons_of_files() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadablePicture("no such file") from None
    except IsADirectoryError:
        raise UnreadablePicture("a folder, no picture") from None
    except OSError as error:
        raise UnreadablePicture(f"cannot be opened: {error.strerror or error}") from error


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except (UnreadablePicture, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UnreadablePicture("cannot be identified as a picture") from None
    except Image.DecompressionBombError:
        raise UnreadablePicture(f"too large: more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels") from None
    except Exception as error:  # PIL's decoders raise whatever a damaged file leads them to
        text = str(error) or type(error).__name__
        kind = "truncated" if "truncated" in text or isinstance(error, EOFError) else "cannot be decoded"
        raise UnreadablePicture(f"{kind}: {text}") from error
