"""The files of a channel. Each folder is read once: a table of 200,000 names is looked up without a stat a row."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from model.data.readers.shards import Shards, read_shards
from model.paths import leaves_folder

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
IMAGES = "images"  # the folder that a table's pictures may lie in, beside it

What = Literal["file", "folder", "outside", "missing"]


def is_picture(name: str) -> bool:
    """Whether a file's name has a picture's extension, in any letter case."""
    return name.lower().endswith(PICTURE_SUFFIXES)


@dataclass(frozen=True)
class Folder:
    """What lies in one folder, sorted by name. targets: where a link that leaves the channel leads, by its name."""

    kinds: dict[str, What]
    targets: dict[str, str]

    def names(self, what: What) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind == what]

    def spelling(self, name: str) -> str | None:
        """The name as the disk has it: as written, else in the other Unicode form (macOS writes NFD, tables NFC)."""
        if name in self.kinds:
            return name
        return None if name.isascii() else self._composed.get(unicodedata.normalize("NFC", name))

    @cached_property
    def _composed(self) -> dict[str, str]:
        return {unicodedata.normalize("NFC", name): name for name in self.kinds}

    def same_stem(self, name: str) -> str | None:
        """A file of this name with another extension or in other letter case."""
        return self._stems.get(os.path.splitext(name)[0].lower())

    @cached_property
    def _stems(self) -> dict[str, str]:
        return {os.path.splitext(name)[0].lower(): name for name in self.names("file")}


class ChannelFiles:
    """The channel at root. Paths are relative to it, with /; "" is the root. Dot files and dot folders are not seen;
    a link that leads out of the channel is `outside`, never followed.

    unreadable: folders that the system refused, and names that no table can hold, with the reason; shards: where the
    pictures lie that are in tar files, which are files like the others here. InputError where their index is none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: dict[str, str] = {}
        self.shards: Shards = read_shards(root)
        self._real = os.path.realpath(root)
        self._folders: dict[str, Folder] = {}
        self._heads: dict[str, list[tuple[What, str]]] = {}  # where a name's folder may be, by its text

    def folder(self, path: str = "") -> Folder:
        """What lies in a folder; nothing where there is no such folder."""
        if path not in self._folders:
            self._folders[path] = self._read(path)
        return self._folders[path]

    def _read(self, path: str) -> Folder:
        kinds: dict[str, What] = {}
        targets: dict[str, str] = {}
        try:
            with os.scandir(self.root / path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or (not path and entry.name in self.shards.files):
                        continue
                    shown = entry.name.encode("utf-8", "backslashreplace").decode()
                    if shown != entry.name:
                        self.unreadable[posixpath.join(path, shown)] = "its name is not UTF-8"
                        continue
                    if entry.is_symlink():
                        target = os.path.realpath(entry.path)
                        if target != self._real and not target.startswith(self._real + os.sep):
                            kinds[entry.name] = "outside"
                            targets[entry.name] = os.path.relpath(target, self._real)
                            continue
                    if entry.is_dir():
                        kinds[entry.name] = "folder"
                    elif entry.is_file() or entry.is_symlink():
                        kinds[entry.name] = "file"
        except FileNotFoundError:
            pass
        except OSError as error:
            self.unreadable[path or "."] = error.strerror or type(error).__name__
        for name, kind in self.shards.folders.get(path, {}).items():
            kinds.setdefault(name, kind)
        return Folder(dict(sorted(kinds.items())), targets)

    def find(self, name: str) -> tuple[What, str]:
        """Where a table's name leads, beside the table or in images/: what there is, and its path as the disk spells
        it. Of `missing`, where it was expected; of `outside`, a path that leaves the channel."""
        if leaves_folder(name):
            return "outside", name
        name = posixpath.normpath(name)
        head, _, tail = name.rpartition("/")
        if head not in self._heads:
            self._heads[head] = [self._follow(head), self._follow(posixpath.join(IMAGES, head) if head else IMAGES)]
        for folder in self._heads[head]:
            what, path = self._inside(folder, tail)
            if what != "missing":
                return what, path
        has_images = self.folder().kinds.get(IMAGES) == "folder" and not name.startswith(IMAGES + "/")
        return "missing", f"{IMAGES}/{name}" if has_images else name

    def _follow(self, path: str) -> tuple[What, str]:
        """What is at a path below the root and how the disk spells it."""
        if not path:
            return "folder", ""
        head, _, tail = path.rpartition("/")
        return self._inside(self._follow(head), tail)

    def _inside(self, folder: tuple[What, str], name: str) -> tuple[What, str]:
        what, path = folder
        lead = f"{path}/" if path else ""
        if what == "outside":
            return what, lead + name
        listing = self.folder(path) if what == "folder" else None
        spelt = listing.spelling(name) if listing else None
        if listing is None or spelt is None:
            return "missing", lead + name
        kind = listing.kinds[spelt]
        return kind, listing.targets[spelt] if kind == "outside" else lead + spelt

    def similar(self, path: str) -> str:
        """`; nearest: NAME` where the folder of a missing file has its name with another extension or letter case."""
        head, _, tail = path.rpartition("/")
        for folder in (head, IMAGES, ""):
            name = self.folder(folder).same_stem(tail)
            if name:
                return f"; nearest: {posixpath.join(folder, name)}"
        return ""

    def below(self, path: str) -> Iterator[tuple[What, str]]:
        """Every file below a folder and every link that leaves the channel, sorted, folder by folder. A link back to a
        folder on the way is not followed."""
        parents = (self.root / parent for parent in PurePosixPath(path).parents)
        return self._below(path, frozenset(map(os.path.realpath, parents)))

    def _below(self, path: str, above: frozenset[str]) -> Iterator[tuple[What, str]]:
        real = os.path.realpath(self.root / path)
        if real in above:
            return
        listing = self.folder(path)
        for name, kind in listing.kinds.items():
            if kind == "folder":
                yield from self._below(posixpath.join(path, name), above | {real})
            else:
                yield kind, posixpath.join(path, name)
