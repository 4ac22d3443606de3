"""Thumbnails of images as data: URIs, which the report embeds; blurred ones have too few pixels for a face."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.errors import InputError, listing, nearest_path
from model.images.decode import UnreadableImage, read_image
from model.images.deep import GivenRange
from model.images.image_location import ImageLocation

LONGEST_SIDE = 144  # pixels
LARGE_SIDE = 320  # of images on the page itself, which can be enlarged
# Longest side of a blurred image in pixels. Half of the pictures of well-known people are still recognised where the
# face has 7 x 10 pixels (Sinha et al., Proceedings of the IEEE 94, 2006, result 1); here the whole image has fewer.
BLURRED_SIDE = 8
QUALITY = 75
BATCH = 32  # images that are read before the remaining space is checked again


@dataclass(frozen=True)
class Thumbnail:
    """A small image. uri: a JPEG, or a PNG if it is blurred, as data: URI; width, height: in pixels on the page."""

    uri: str
    width: int
    height: int


def picture_folder(root: Path, names: Sequence[str]) -> ChannelFiles:
    """Finds the images that the report shows, in a folder or in its subfolder images/.

    Args:
        root: The folder.
        names: Names of the images.

    Raises:
        InputError: The folder is missing or has none of the images.
    """
    if not root.is_dir():
        raise InputError(f"pictures {root}: no such folder{nearest_path(root)}")
    files = ChannelFiles(root)
    files.locate_images(names)
    if not any(files.find_spelling(name).kind == "file" for name in names):
        raise InputError(
            f"pictures {root}: none of the {len(names):,} images is in this folder or in its subfolder {IMAGES}: "
            f"{listing(names, 3)}"
        )
    return files


def make_thumbnails(
    files: ChannelFiles,
    names: Sequence[str],
    characters: int,
    side: int = LONGEST_SIDE,
    pixel_range: GivenRange = None,
    blur: bool = False,
) -> dict[str, Thumbnail]:
    """Thumbnails by name, of the first names that fit; unreadable images are skipped.

    Args:
        files: Folder of the images.
        names: Names of images, the most important first.
        characters: Largest length of all their URIs together.
        side: Longest side in pixels.
        pixel_range: The range by which the model scales images of more than 8 bits.
        blur: Whether they are reduced to BLURRED_SIDE.
    """
    thumbnails: dict[str, Thumbnail] = {}
    paths = [files.find_spelling(name).path for name in names]

    def make(path: str) -> Thumbnail | None:
        return make_thumbnail(files, path, side, pixel_range, blur)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(names), BATCH):
            batch = pool.map(make, paths[start : start + BATCH])
            for name, thumbnail in zip(names[start : start + BATCH], batch):
                if thumbnail is None:
                    continue
                characters -= len(thumbnail.uri)
                if characters < 0:
                    return thumbnails
                thumbnails[name] = thumbnail
    return thumbnails


def make_thumbnail(
    files: ChannelFiles, path: str, side: int = LONGEST_SIDE, pixel_range: GivenRange = None, blur: bool = False
) -> Thumbnail | None:
    """The thumbnail of an image by its path below the folder, or in its shards; None for an unreadable image.

    Args:
        files: Folder of the images.
        path: Path of the image below it.
        side: Longest side on the page, in pixels.
        pixel_range: The range by which the model scales images of more than 8 bits.
        blur: Whether the embedded image is reduced to BLURRED_SIDE; the page enlarges it to `side`.
    """
    return image_thumbnail(files.root, files.shards.locate(path), side, pixel_range, blur)


def image_thumbnail(
    root: Path, location: ImageLocation, side: int = LONGEST_SIDE, pixel_range: GivenRange = None, blur: bool = False
) -> Thumbnail | None:
    """The thumbnail of an image by its location below a folder; see make_thumbnail."""
    picture = small_image(root, location, side, pixel_range)
    if picture is None:
        return None
    size = picture.size
    return Thumbnail(image_uri(blurred(picture) if blur else picture, "PNG" if blur else "JPEG"), *size)


def small_image(root: Path, location: ImageLocation, side: int, pixel_range: GivenRange = None) -> Image.Image | None:
    """An image whose longest side has at most `side` pixels, without its metadata; None for an unreadable image."""
    try:
        picture = read_image(root, location, draft=(side, side), pixel_range=pixel_range)
    except UnreadableImage:
        return None
    picture.thumbnail((side, side))
    picture.info.clear()  # comments and GPS positions stay out of the page
    return picture


def image_uri(picture: Image.Image, form: str) -> str:
    """An image as data: URI. form: PNG or JPEG."""
    content = io.BytesIO()
    if form == "PNG":
        picture.save(content, form)
    else:
        picture.save(content, form, quality=QUALITY, optimize=True)
    text = base64.b64encode(content.getvalue()).decode("ascii")
    return f"data:image/{form.lower()};base64,{text}"


def blurred(image: Image.Image) -> Image.Image:
    """The image with at most BLURRED_SIDE pixels per side, each the mean of its area; a smaller image is unchanged."""
    scale = BLURRED_SIDE / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(round(length * scale), 1) for length in image.size)
    return image.resize((width, height), Image.Resampling.BOX)
