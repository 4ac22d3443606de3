"""Pictures made small, as data: URIs that the page holds itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from model.data.readers.channel_files import IMAGES, ChannelFiles
from model.errors import InputError, did_you_mean, listing
from model.images.decode import UnreadablePicture, read_picture

LONGEST_SIDE = 144  # pixels
QUALITY = 75
AT_ONCE = 32  # pictures read between two looks at the room that is left


@dataclass(frozen=True)
class Thumbnail:
    """uri: a JPEG as data: URI; width, height: its pixels."""

    uri: str
    width: int
    height: int


def picture_folder(root: Path, names: Sequence[str]) -> ChannelFiles:
    """The folder that pictures are taken from, themselves or from images/ in it. InputError where none of the names is
    there."""
    if not root.is_dir():
        beside = [entry.name for entry in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"pictures {root}: there is no such folder{did_you_mean(root.name, beside)}")
    files = ChannelFiles(root)
    if not any(files.find(name)[0] == "file" for name in names):
        raise InputError(
            f"pictures {root}: none of the {len(names):,} pictures lies there or in {IMAGES}/: {listing(names, 3)}"
        )
    return files


def thumbnails(files: ChannelFiles, names: Sequence[str], room: int) -> dict[str, Thumbnail]:
    """By name, the first ones that go into room (characters) together; what cannot be read is left out."""
    made: dict[str, Thumbnail] = {}
    paths = [path for what, path in (files.find(name) for name in names)]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(names), AT_ONCE):
            found = pool.map(lambda path: thumbnail(files, path), paths[start : start + AT_ONCE])
            for name, small in zip(names[start : start + AT_ONCE], found):
                if small is None:
                    continue
                room -= len(small.uri)
                if room < 0:
                    return made
                made[name] = small
    return made


def thumbnail(files: ChannelFiles, path: str) -> Thumbnail | None:
    """A picture by its path below the folder, or in its shards; None where it cannot be read."""
    try:
        picture = read_picture(files.root, files.shards.locate(path), draft=(LONGEST_SIDE, LONGEST_SIDE))
    except UnreadablePicture:
        return None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    picture.info.clear()  # comments and places of the photograph stay out of the page
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY, optimize=True)
    text = base64.b64encode(written.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", *picture.size)
