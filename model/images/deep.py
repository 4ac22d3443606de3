"""Images of more than 8 bits per channel ("deep" images), which are scaled to 8 bits.

Also reads those that PIL has no mode for: colour PNGs of 16 bits, TIFFs of any depth and number of bands.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from model.images.pixel_range import PixelRange, common_range, eight_bits, pixel_quantiles, to_uint8
from model.images.tiff import ORIENTATION, is_tiff, read_header, read_pixels

# Values that become 0 and 255 in images of more than 8 bits. (): the extremes of each image, as in models of earlier
# versions, which had no common range for a data set; None: estimated from the image
GivenRange = tuple[float, ...] | None

STRIP = 1 << 16  # pixels that are converted in float64 at a time


@dataclass(frozen=True)
class Bands:
    """The pixels of an image.

    Attributes:
        values: (height, width, bands), 1 or 3 bands of any number type.
        alpha: uint8 (height, width); None for an opaque image.
        orientation: EXIF orientation, 1 to 8.
    """

    values: NDArray[Any]
    alpha: NDArray[np.uint8] | None = None
    orientation: int = 1

    def in_8_bits(self, pixel_range: GivenRange) -> Image.Image:
        """The image as RGB, RGBA or grey in 8 bits."""
        values = self.values
        if values.dtype != np.uint8:
            values = eight_bits(values, _range_of(values, pixel_range))
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        return image


def cut_to_8_bits(image: Image.Image) -> bool:
    """Whether an opened image has more than 8 bits per channel, of which PIL would keep only the upper 8."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return False
    unpacked_as = str(image.tile[0].args)  # for a TIFF a tuple, whose first item is such as RGB;16L
    return image.mode in ("RGB", "RGBA") and image.format in ("PNG", "TIFF") and ";16" in unpacked_as


def read_bands(content: bytes) -> Bands:
    """Reads an encoded TIFF or a 16-bit colour PNG. Raises ValueError for kinds of TIFF that are not supported."""
    if is_tiff(content):
        header = read_header(content)
        return Bands(read_pixels(content, header), None, header.tags.get(ORIENTATION, 1))
    image = Image.open(io.BytesIO(content))
    samples = _png_samples(content)
    alpha = (samples[..., 3] >> 8).astype(np.uint8) if samples.shape[2] == 4 else None
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if "exif" in image.info else 1
    return Bands(samples[..., :3], alpha, orientation)


def _png_samples(content: bytes) -> NDArray[np.uint16]:
    """The samples of a 16-bit PNG, uint16 (height, width, 3 or 4).

    PIL returns only one byte per sample: the high bytes if it reads them as big-endian numbers, the low bytes if it
    reads them as little-endian numbers. So the image is decoded twice.
    """
    halves = []
    for order in "BL":
        image = PngImagePlugin.PngImageFile(io.BytesIO(content))
        image.tile = [tile._replace(args=str(tile.args)[:-1] + order) for tile in image.tile]
        halves.append(np.asarray(image).astype(np.uint16))
    return np.asarray(halves[0] << 8 | halves[1], np.uint16)


def is_deep_mode(image: Image.Image) -> bool:
    """Whether an image is grey with more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def grey_in_8_bits(image: Image.Image, pixel_range: GivenRange) -> Image.Image:
    """Converts a grey image of more than 8 bits to 8 bits by a range of values: see GivenRange."""
    if pixel_range == ():
        return _by_extremes(image)
    if pixel_range or image.mode.startswith("I;16"):
        own_range = (pixel_range[0], pixel_range[1]) if pixel_range else (0.0, 65535.0)
    else:
        own_range = _range_of(np.asarray(image), None)
    grey = Image.new("L", image.size)
    for upper, values in _strips(image):
        grey.paste(Image.fromarray(eight_bits(values, own_range)), (0, upper))
    return grey


def _by_extremes(image: Image.Image) -> Image.Image:
    """Converts a grey image of more than 8 bits to 8 bits, for models that were saved without a pixel range.

    16 bits are scaled by 1/257. 32-bit integers and floats have no standard range: the first of 0 to 1 (floats only),
    0 to 255 and 0 to 65535 that contains every pixel is used, otherwise the range of the image.
    """
    ranges: tuple[float, ...] = (65535,)  # upper ends
    if not image.mode.startswith("I;16"):
        ranges = (1, 255, 65535) if image.mode == "F" else (255, 65535)
    # Find the extremes of the finite pixels
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
        grey.paste(Image.fromarray(to_uint8(values, 0.0 if from_zero else low, top)), (0, upper))
    return grey


def _range_of(values: np.ndarray, pixel_range: GivenRange) -> PixelRange:
    """The pixel range, estimated from the image if it is not given.

    For 16 bits it is always the full range: a single image does not show how many of the bits the others use.
    """
    if pixel_range:
        return pixel_range[0], pixel_range[1]
    if values.dtype == np.uint16:
        return 0.0, 65535.0
    return common_range(pixel_quantiles(values)[None], values.dtype.kind == "f")


def _strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Yields strips of an image as float64 (rows, width), each with the number of its first row.

    Converting the whole image to float64 would need two to four times its memory.
    """
    rows = max(1, STRIP // max(1, image.width))
    for upper in range(0, image.height, rows):
        lower = min(upper + rows, image.height)
        yield upper, np.asarray(image.crop((0, upper, image.width, lower))).astype(np.float64)
