"""Shards: images packed into tar files, with an index shards.csv; reads the index and writes shards.

A channel of a million images thus is a few large files. Tables and everything else lie beside the shards as before.
"""

from __future__ import annotations

import csv
import io
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from model.atomic_write import LineFeeds
from model.errors import InputError, Problems
from model.images.image_location import ImageLocation
from model.paths import leaves_folder

INDEX = "shards.csv"
COLUMNS = ["path", "shard", "offset", "size"]
BLOCK = tarfile.BLOCKSIZE

Entry = tuple[str, int, int]  # shard, offset and size in bytes
Names = dict[str, Literal["file", "folder"]]  # the content of a folder


@dataclass(frozen=True)
class Shards:
    """The index of a channel's shards; empty where the channel has none.

    Attributes:
        entries: Shard, offset and size in bytes of each image, by its path.
        folders: Content of each folder that the paths show.
        files: The index and the shards, which are not files of the channel themselves.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, Literal["file", "folder"]]] = field(default_factory=dict)
    files: frozenset[str] = frozenset()

    def locate(self, path: str) -> ImageLocation:
        """Where an image's bytes lie; a path that is in no shard is a file of its own."""
        entry = self.entries.get(path)
        return ImageLocation(path, *entry) if entry else ImageLocation(path)


def read_shards(root: Path) -> Shards:
    """Reads the index of the channel at root. InputError lists every invalid row."""
    path = Path(root) / INDEX
    if not path.is_file():
        return Shards()
    problems = Problems(str(path))
    entries: dict[str, Entry] = {}
    folders: dict[str, Names] = {}
    shard_sizes: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header != COLUMNS:
                raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, not {', '.join(header)}")
            for row in reader:
                problem = _add_entry(root, row, entries, shard_sizes)
                if problem:
                    problems.add(problem, f"row {reader.line_num}: {','.join(row)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    problems.raise_if_any()
    for name in entries:
        _add_to_folder(folders, name, "file")
    return Shards(entries, folders, frozenset({INDEX, *shard_sizes}))


def _add_entry(root: Path, row: list[str], entries: dict[str, Entry], shard_sizes: dict[str, int]) -> str | None:
    """Adds a row of the index to the entries; returns what is wrong with it, if anything.

    shard_sizes: Bytes of each shard met so far, -1 where there is no such file.
    """
    try:
        path, shard, offset, size = row[0], row[1], int(row[2]), int(row[3])
    except (IndexError, ValueError):
        return "row that tells no place"
    if not path or posixpath.normpath(path) != path or leaves_folder(path):
        return "path out of the channel"
    if "/" in shard or shard in ("", ".", ".."):
        return "shard out of the channel"
    if path in entries:
        return "picture twice"
    if shard not in shard_sizes:
        file = Path(root) / shard
        shard_sizes[shard] = file.stat().st_size if file.is_file() else -1
    if shard_sizes[shard] < 0:
        return "missing shard"
    if offset < 0 or size < 0 or offset + size > shard_sizes[shard]:
        return "place beyond the shard's end"
    entries[path] = (shard, offset, size)
    return None


def _add_to_folder(folders: dict[str, Names], path: str, kind: Literal["file", "folder"]) -> None:
    """Adds a path to the content of its folder, and that folder to its parent's, up to the root."""
    parent, _, name = path.rpartition("/")
    content = folders.setdefault(parent, {})
    if name in content:
        return
    content[name] = kind
    if parent:
        _add_to_folder(folders, parent, "folder")


def write_shards(
    source: Path, target: Path, names: list[str], is_image: Callable[[str], bool], max_bytes: int
) -> tuple[int, int]:
    """Copies a channel with its images packed into shards and the other files beside them.

    The same files give the same bytes.

    Args:
        source: Folder of the channel.
        target: Folder to create.
        names: Files of the channel, in the order in which they are packed.
        is_image: Whether a file is packed.
        max_bytes: Size of the images of one shard; a single image may be larger.

    Returns:
        The number of images and the number of shards.
    """
    target.mkdir(parents=True)
    for name in names:
        if not is_image(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    rows: list[list[str]] = []
    count = 0
    for count, group in enumerate(_groups(source, filter(is_image, names), max_bytes), 1):
        shard = f"shard-{count - 1:05d}.tar"
        with tarfile.open(target / shard, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in group:
                content = (source / name).read_bytes()
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                offset = tar.offset - -(-len(content) // BLOCK) * BLOCK  # tar pads the content to whole blocks
                rows.append([name, shard, str(offset), str(len(content))])
    with (target / INDEX).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(LineFeeds(file), lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows), count


def _groups(source: Path, names: Iterable[str], max_bytes: int) -> Iterator[list[str]]:
    """Names in order, a group for each shard."""
    group: list[str] = []
    group_size = 0
    for name in names:
        size = (source / name).stat().st_size
        if group and group_size + size > max_bytes:
            yield group
            group, group_size = [], 0
        group.append(name)
        group_size += size
    if group:
        yield group
