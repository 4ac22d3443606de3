"""Lists the files of a folder to upload, in the order in which S3 lists their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalFile:
    """A file to upload.

    Attributes:
        name: Its key below the prefix.
        path: Its path.
        size: Its size, bytes.
        times: Times of its last modification (mtime) and of its last status change (ctime), ns.
    """

    name: str
    path: Path
    size: int
    times: tuple[int, int]

    @classmethod
    def from_path(cls, name: str, path: Path) -> LocalFile:
        """Returns the file with the size and times that it has now."""
        stat = path.stat()
        return cls(name, path, stat.st_size, (stat.st_mtime_ns, stat.st_ctime_ns))

    @property
    def key(self) -> bytes:
        """The sort key: the bytes of the name, as in S3."""
        return self.name.encode("utf-8", "surrogateescape")


def local_files(source: Path, suffixes: tuple[str, ...] = ()) -> Iterator[LocalFile]:
    """Yields the files below a folder, or the single file.

    Names that begin with a dot are skipped and symbolic links are followed, as in a channel.

    Args:
        source: Folder or file.
        suffixes: Lower-case endings of the files to include; () for all files.
    """
    if source.is_file():
        yield LocalFile.from_path(source.name, source)
        return
    for file in _files_below(source, ""):
        if not suffixes or file.name.lower().endswith(suffixes):
            yield file


def _files_below(folder: Path, lead: str) -> Iterator[LocalFile]:
    entries: list[tuple[bytes, os.DirEntry[str]]] = []
    # a folder sorts with / at the end of its name, as its keys do in S3
    with os.scandir(folder) as scan:
        for entry in scan:
            if not entry.name.startswith("."):
                name = entry.name + ("/" if entry.is_dir() else "")
                entries.append((name.encode("utf-8", "surrogateescape"), entry))
    for key, entry in sorted(entries, key=lambda pair: pair[0]):
        if key.endswith(b"/"):
            yield from _files_below(Path(entry.path), f"{lead}{entry.name}/")
        elif entry.is_file():
            yield LocalFile.from_path(f"{lead}{entry.name}", Path(entry.path))
