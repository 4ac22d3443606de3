"""Thumbnails of images, as data: URIs that the report embeds."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.errors import InputError, did_you_mean, listing
from model.images.decode import UnreadableImage, read_image
from model.images.deep import GivenRange

LONGEST_SIDE = 144  # pixels
LARGE_SIDE = 320  # of images that stand on the page and can be enlarged
QUALITY = 75
BATCH = 32  # images read before the remaining space is checked again


@dataclass(frozen=True)
class Thumbnail:
    """A small image. uri: a JPEG as data: URI; width, height: in pixels."""

    uri: str
    width: int
    height: int


def picture_folder(root: Path, names: Sequence[str]) -> ChannelFiles:
    """The folder whose images the report shows, or the folder with images/ in it.

    Raises:
        InputError: There is no such folder, or none of the names is in it.
    """
    if not root.is_dir():
        beside = [entry.name for entry in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"images {root}: there is no such folder{did_you_mean(root.name, beside)}")
    files = ChannelFiles(root)
    files.locate_images(names)
    if not any(files.find_spelling(name).kind == "file" for name in names):
        raise InputError(
            f"images {root}: none of the {len(names):,} images lies there or in {IMAGES}/: {listing(names, 3)}"
        )
    return files


def make_thumbnails(
    files: ChannelFiles,
    names: Sequence[str],
    characters: int,
    side: int = LONGEST_SIDE,
    pixel_range: GivenRange = None,
) -> dict[str, Thumbnail]:
    """Thumbnails by name, of the first names that fit; unreadable images are left out.

    Args:
        files: Folder of the images.
        names: Names of images, the most important first.
        characters: How long all their URIs together may be.
        side: Longest side in pixels.
        pixel_range: By which images of more than 8 bits are scaled, as by the model that answered.
    """
    thumbnails: dict[str, Thumbnail] = {}
    paths = [files.find_spelling(name).path for name in names]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(names), BATCH):
            batch = pool.map(lambda path: make_thumbnail(files, path, side, pixel_range), paths[start : start + BATCH])
            for name, thumbnail in zip(names[start : start + BATCH], batch):
                if thumbnail is None:
                    continue
                characters -= len(thumbnail.uri)
                if characters < 0:
                    return thumbnails
                thumbnails[name] = thumbnail
    return thumbnails


def make_thumbnail(
    files: ChannelFiles, path: str, side: int = LONGEST_SIDE, pixel_range: GivenRange = None
) -> Thumbnail | None:
    """The thumbnail of an image by its path below the folder, or in its shards; None for an unreadable image."""
    try:
        picture = read_image(files.root, files.shards.locate(path), draft=(side, side), pixel_range=pixel_range)
    except UnreadableImage:
        return None
    picture.thumbnail((side, side))
    picture.info.clear()  # comments and GPS positions stay out of the page
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    text = base64.b64encode(jpeg.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", *picture.size)
