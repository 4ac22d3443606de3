"""Pictures in tar files: shards.csv in a channel tells each picture's place, so that a channel of a million pictures
is a few large files. Everything else of the channel (tables, lists) lies beside as it did. Imports nothing heavy."""

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

from model.errors import InputError, Problems
from model.images.location import ImageLocation

INDEX = "shards.csv"
COLUMNS = ["path", "shard", "offset", "size"]
BLOCK = tarfile.BLOCKSIZE

Entry = tuple[str, int, int]  # shard, offset and size in bytes
Inside = dict[str, Literal["file", "folder"]]  # what a folder shows, by name


@dataclass(frozen=True)
class Shards:
    """entries: by an image's path; folders: what the paths show in each folder; files: the index and the shards
    themselves, which are no part of the channel's listing."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, Literal["file", "folder"]]] = field(default_factory=dict)
    files: frozenset[str] = frozenset()

    def locate(self, path: str) -> ImageLocation:
        """Where an image's bytes lie; a path that is in no shard is a file of its own."""
        entry = self.entries.get(path)
        return ImageLocation(path, *entry) if entry else ImageLocation(path)


def read_shards(root: Path) -> Shards:
    """What the index at root tells; nothing where there is none. InputError tells every row that is wrong."""
    path = Path(root) / INDEX
    if not path.is_file():
        return Shards()
    problems = Problems(str(path))
    entries: dict[str, Entry] = {}
    folders: dict[str, Inside] = {}
    sizes: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header != COLUMNS:
                raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, not {', '.join(header)}")
            for row in reader:
                fault = _take(root, row, entries, sizes)
                if fault:
                    problems.add(fault, f"row {reader.line_num}: {','.join(row)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    problems.raise_if_any()
    for name in entries:
        _enter(folders, name, "file")
    return Shards(entries, folders, frozenset({INDEX, *sizes}))


def _take(root: Path, row: list[str], entries: dict[str, Entry], sizes: dict[str, int]) -> str | None:
    """Adds a row of the index, or says what is wrong with it."""
    try:
        name, shard, offset, size = row[0], row[1], int(row[2]), int(row[3])
    except (IndexError, ValueError):
        return "row that tells no place"
    if not name or posixpath.normpath(name) != name or name.startswith(("/", "../")) or name == "..":
        return "path out of the channel"
    if "/" in shard or shard in ("", ".", ".."):
        return "shard out of the channel"
    if name in entries:
        return "picture twice"
    if shard not in sizes:
        path = Path(root) / shard
        sizes[shard] = path.stat().st_size if path.is_file() else -1
    if sizes[shard] < 0:
        return "missing shard"
    if offset < 0 or size < 0 or offset + size > sizes[shard]:
        return "place beyond the shard's end"
    entries[name] = (shard, offset, size)
    return None


def _enter(folders: dict[str, Inside], path: str, kind: Literal["file", "folder"]) -> None:
    folder, _, name = path.rpartition("/")
    inside = folders.setdefault(folder, {})
    if name in inside:
        return
    inside[name] = kind
    if folder:
        _enter(folders, folder, "folder")


def write_shards(
    source: Path, target: Path, names: list[str], is_picture: Callable[[str], bool], most_bytes: int
) -> tuple[int, int]:
    """A channel with its pictures in shards of about most_bytes, the other files beside them; the same files give the
    same bytes. names: the channel's files, in order. Returns how many pictures and shards there are."""
    target.mkdir(parents=True)
    for name in names:
        if not is_picture(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    rows: list[list[str]] = []
    number = 0
    for number, group in enumerate(_groups(source, filter(is_picture, names), most_bytes), 1):
        shard = f"shard-{number - 1:05d}.tar"
        with tarfile.open(target / shard, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in group:
                content = (source / name).read_bytes()
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
                offset = tar.offset - -(-len(content) // BLOCK) * BLOCK
                rows.append([name, shard, str(offset), str(len(content))])
    with (target / INDEX).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows), number


def _groups(source: Path, names: Iterable[str], most_bytes: int) -> Iterator[list[str]]:
    """Names in order, cut where the files together pass most_bytes."""
    group: list[str] = []
    size = 0
    for name in names:
        bytes_of = (source / name).stat().st_size
        if group and size + bytes_of > most_bytes:
            yield group
            group, size = [], 0
        group.append(name)
        size += bytes_of
    if group:
        yield group
