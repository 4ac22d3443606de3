"""Shards: images packed into tar files, each with an index of its images. Reads the indexes and writes shards.

A channel of a million images becomes a few large files; tables and all other files stay next to the shards. The first
member of a shard is its index, so that a host with only some of the shards can read these. Shards of earlier versions
have a common index next to them, shards.csv.
"""

from __future__ import annotations

import csv
import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from model.atomic_write import LineFeeds
from model.errors import InputError, Problems
from model.images.image_location import ImageLocation
from model.paths import leaves_folder

INDEX = "shards.csv"  # of earlier versions
COLUMNS = ["path", "shard", "offset", "size"]
SHARD_SUFFIX = ".tar"
INNER_INDEX = ".index.csv"  # first member of a shard; hidden, so that it is not read as a table if a shard is unpacked
INNER_COLUMNS = ["path", "offset", "size"]  # the offset is counted from the end of the index
BLOCK = tarfile.BLOCKSIZE

Entry = tuple[str, int, int]  # shard, offset and size in bytes
Names = dict[str, Literal["file", "folder"]]  # the content of a folder


@dataclass(frozen=True)
class Shards:
    """The index of a channel's shards; empty if the channel has none.

    Attributes:
        entries: Shard, offset and size in bytes of each image, by its path.
        folders: Content of each folder in the paths of the images.
        files: The shards and shards.csv, which do not count as files of the channel.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, Literal["file", "folder"]]] = field(default_factory=dict)
    files: frozenset[str] = frozenset()

    def locate(self, path: str) -> ImageLocation:
        """The location of an image: in a shard, or in a file of its own."""
        entry = self.entries.get(path)
        return ImageLocation(path, *entry) if entry else ImageLocation(path)


def read_shards(root: Path) -> Shards:
    """Reads the indexes of the shards at root: shards.csv, and the index in each other shard.

    Raises:
        InputError: Lists every invalid row.
    """
    root = Path(root)
    entries: dict[str, Entry] = {}
    folders: dict[str, Names] = {}
    shard_sizes: dict[str, int] = {}
    files: set[str] = set()
    problems = Problems(str(root / INDEX))
    if (root / INDEX).is_file():
        for number, row in _common_index(root / INDEX):
            problem = _add_entry(root, row, entries, shard_sizes)
            if problem:
                problems.add(problem, f"row {number}: {','.join(row)}")
        problems.raise_if_any()
        files = {INDEX, *shard_sizes}
    problems = Problems(str(root))
    for shard in shard_names(root):
        rows = None if shard in files else read_inner_index(root / shard)
        if rows is None:
            continue
        files.add(shard)
        for number, (path, offset, size) in enumerate(rows, 2):
            problem = _add_entry(root, [path, shard, offset, size], entries, shard_sizes)
            if problem:
                problems.add(problem, f"{shard}: row {number} of its index: {path}")
    problems.raise_if_any()
    for name in entries:
        _add_to_folder(folders, name, "file")
    return Shards(entries, folders, frozenset(files))


def _common_index(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the line number and values of each row of shards.csv. Raises InputError if it is unreadable."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header != COLUMNS:
                raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, not {', '.join(header)}")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def shard_names(root: Path) -> list[str]:
    """Names of the tar files in a folder, sorted. A tar file is a shard if it has an index."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(SHARD_SUFFIX)]
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith(".") and (root / name).is_file())


def read_inner_index(shard: Path) -> list[list[str]] | None:
    """Reads the index in a shard: path, offset in the shard and size of each image, as text.

    Returns:
        The rows; None if the tar file has no index.

    Raises:
        InputError: The index is damaged.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            member = tar.next()
            file = tar.extractfile(member) if member is not None and member.name == INNER_INDEX else None
            if file is None:
                return None
            content = file.read()
            images = tar.offset  # the first byte after the index, padded to whole blocks
    except (tarfile.TarError, EOFError):
        return None
    except OSError as error:
        raise InputError(f"{shard}: cannot be read: {error}") from None
    try:
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
        if header != INNER_COLUMNS:
            raise ValueError(f"expected the columns {', '.join(INNER_COLUMNS)}, not {', '.join(header)}")
        return [[path, str(images + int(offset)), size] for path, offset, size in rows]
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise InputError(f"{shard}: its index cannot be read: {error}") from None


def _add_entry(root: Path, row: list[str], entries: dict[str, Entry], shard_sizes: dict[str, int]) -> str | None:
    """Adds a row of the index to the entries. Returns the kind of problem if the row is invalid, otherwise None.

    shard_sizes: Size in bytes of each shard that was listed so far; -1 if it does not exist.
    """
    try:
        path, shard, offset, size = row[0], row[1], int(row[2]), int(row[3])
    except (IndexError, ValueError):
        return "row without a valid byte range"
    if not path or posixpath.normpath(path) != path or leaves_folder(path):
        return "path outside the channel"
    if "/" in shard or shard in ("", ".", ".."):
        return "shard outside the channel"
    if path in entries:
        return "duplicate image"
    if shard not in shard_sizes:
        file = Path(root) / shard
        shard_sizes[shard] = file.stat().st_size if file.is_file() else -1
    if shard_sizes[shard] < 0:
        return "missing shard"
    if offset < 0 or size < 0 or offset + size > shard_sizes[shard]:
        return "byte range beyond the end of the shard"
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
    """Copies a channel with its images packed into shards and the other files next to them.

    The same files result in the same bytes.

    Args:
        source: Folder of the channel.
        target: Folder to create.
        names: Files of the channel, in the order in which they are packed.
        is_image: Whether a file is packed.
        max_bytes: Maximum size of the images in a shard; a single image may be larger.

    Returns:
        The number of images and the number of shards.
    """
    target.mkdir(parents=True)
    for name in names:
        if not is_image(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    images = count = 0
    for count, group in enumerate(_groups(source, filter(is_image, names), max_bytes), 1):
        _write_shard(source, target / f"shard-{count - 1:05d}{SHARD_SUFFIX}", group)
        images += len(group)
    return images, count


def _write_shard(source: Path, shard: Path, group: Sequence[tuple[str, int]]) -> None:
    """Writes a shard: its index, then its images. group: name and size in bytes of each image."""
    text = io.StringIO(newline="")
    writer = csv.writer(LineFeeds(text), lineterminator="\r\n")
    writer.writerow(INNER_COLUMNS)
    position = 0
    for name, size in group:
        # tar writes one or more header blocks, then the content padded to whole blocks
        position += len(_member(name, size).tobuf(tarfile.PAX_FORMAT, "utf-8"))
        writer.writerow([name, position, size])
        position += -(-size // BLOCK) * BLOCK
    index = text.getvalue().encode("utf-8")
    with tarfile.open(shard, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        tar.addfile(_member(INNER_INDEX, len(index)), io.BytesIO(index))
        for name, size in group:
            content = (source / name).read_bytes()
            if len(content) != size:
                raise InputError(f"{source / name}: the file changed while it was packed")
            tar.addfile(_member(name, size), io.BytesIO(content))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """The header of a file in a shard."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _groups(source: Path, names: Iterable[str], max_bytes: int) -> Iterator[list[tuple[str, int]]]:
    """Yields the names and sizes of the images of each shard."""
    group: list[tuple[str, int]] = []
    group_size = 0
    for name in names:
        size = (source / name).stat().st_size
        if group and group_size + size > max_bytes:
            yield group
            group, group_size = [], 0
        group.append((name, size))
        group_size += size
    if group:
        yield group
