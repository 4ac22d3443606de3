"""ChannelFiles: finds the files of a channel by the names that tables use. Each folder is read once.

A table of 200,000 names is thus looked up without a stat per row.
"""

from __future__ import annotations

import logging
import os
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from model.attributes import normal_text
from model.data.readers.image_names import is_image
from model.data.readers.shards import Shards, read_shards
from model.errors import listing
from model.paths import leaves_folder

log = logging.getLogger("rarebird")

# Files and folders that file managers and network storage create beside the user's own, in lower case: thumbnails of
# Synology and QNAP, trash, snapshots, resource forks in archives of macOS
IGNORED = frozenset(
    {"@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "__macosx"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini"}
)
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
SAMPLE = 20  # names of a table from its start, and as many from all of it, that show in which folder its images lie
IMAGES = "images"  # the folder beside a table that its images may lie in
OUTSIDE = "path out of the channel"

Kind = Literal["file", "folder", "outside", "missing"]


@dataclass(frozen=True)
class Folder:
    """The content of one folder, sorted by name.

    Attributes:
        kinds: What each name is.
        targets: Where each link that leaves the channel leads.
    """

    kinds: dict[str, Kind]
    targets: dict[str, str]

    def names(self, kind: Kind) -> list[str]:
        """The names of that kind."""
        return [name for name, own in self.kinds.items() if own == kind]

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

    def alike(self, name: str) -> list[str]:
        """The images of this name but for the letter case of the extension or, if it has none, for the extension."""
        return self._alike.get(_spelling_key(name), [])

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        alike: dict[str, list[str]] = {}
        for name in filter(is_image, self.names("file")):
            key = _spelling_key(name)
            stem = os.path.splitext(key)[0]
            for spelling in (key,) if is_image(stem) else (key, stem):
                alike.setdefault(spelling, []).append(name)
        return alike

    @cached_property
    def _stems(self) -> dict[str, str]:
        return {os.path.splitext(name)[0].lower(): name for name in self.names("file")}


@dataclass(frozen=True)
class Found:
    """What a name of a table is.

    Attributes:
        kind: What it is; `several` where it fits several files.
        path: Its path as the disk spells it, or as for ChannelFiles.find; the paths of several files.
        is_respelled: Whether the disk spells it in another way.
    """

    kind: Kind | Literal["several"]
    path: str
    is_respelled: bool = False


def _spelling_key(name: str) -> str:
    """A name in composed Unicode, the extension of an image in lower case."""
    name = unicodedata.normalize("NFC", name)
    stem, suffix = os.path.splitext(name)
    return stem + suffix.lower() if is_image(name) else name


def sample_names(names: Sequence[str]) -> list[str]:
    """The first names of a table and some from all of it, without empty ones: rows are often sorted by class."""
    spread = (names[len(names) * number // SAMPLE] for number in range(SAMPLE)) if names else ()
    return list(dict.fromkeys(filter(None, map(normal_text, (*names[:SAMPLE], *spread)))))


def _as_path(name: str) -> str:
    """A name below the root with `/`."""
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/")


class ChannelFiles:
    """The files of a channel, by path relative to its root, with `/`; "" is the root.

    Hidden files and folders (a dot first) and those in IGNORED are left out. A link that leads out of the channel is
    `outside` and not followed, unless follow_links is set and it leads to a file or folder. Images in shards are files
    like the others.

    Attributes:
        root: Folder of the channel.
        follow_links: Whether links out of the channel are followed.
        outside_links: Target of each link out of the channel that images lie behind, by its path, or by the row that
            names it. Readers fill it, `report_outside_links` reports it.
        shards: Index of the images that lie in tar files.
        image_folders: Folders below the root in which the images of tables are looked up.
        unreadable: By path, why the system refused to list a folder, or why no table can hold a name.

    Raises:
        InputError: The index of the shards is invalid.
    """

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self.root, self.follow_links = root, follow_links
        self.outside_links: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.shards: Shards = read_shards(root)
        self.image_folders: tuple[str, ...] = (IMAGES,)
        self._real = os.path.realpath(root)
        self._folders: dict[str, Folder] = {}
        self._logged: set[str] = set()  # folders of images
        self._candidates: dict[str, list[tuple[Kind, str]]] = {}  # by the folder part of a name: where it may be

    def folder(self, path: str = "") -> Folder:
        """The content of a folder; empty where there is no such folder, or only a link that is not followed."""
        if path not in self._folders:
            is_folder = self._resolve(path)[0] == "folder"
            self._folders[path] = self._list(path) if is_folder else Folder({}, {})
        return self._folders[path]

    def _list(self, path: str) -> Folder:
        kinds: dict[str, Kind] = {}
        targets: dict[str, str] = {}
        try:
            with os.scandir(self.root / path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name.lower() in IGNORED:
                        continue
                    if not path and entry.name in self.shards.files:
                        continue
                    # Names that are not UTF-8 have surrogates, which no table can hold.
                    escaped = entry.name.encode("utf-8", "backslashreplace").decode()
                    if escaped != entry.name:
                        self.unreadable[posixpath.join(path, escaped)] = "its name is not UTF-8"
                        continue
                    if entry.is_symlink():
                        target = os.path.realpath(entry.path)
                        if self._is_outside(target):
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
            if name.lower() not in IGNORED:
                kinds.setdefault(name, kind)
        return Folder(dict(sorted(kinds.items())), targets)

    def _is_outside(self, target: str) -> bool:
        """Whether a link to this path is not followed. A link that leads to nothing, or to a device, never is."""
        if target == self._real or target.startswith(self._real + os.sep):
            return False
        return not self.follow_links or not (os.path.isfile(target) or os.path.isdir(target))

    def add_outside_link(self, path: str) -> None:
        """Notes a link that leads out of the channel."""
        folder, _, name = path.rpartition("/")
        self.outside_links[path] = self.folder(folder).targets[name]

    def find(self, name: str, beside: str = "") -> tuple[Kind, str]:
        """Looks up a name as a table writes it, beside the table and in images/.

        Args:
            name: The name.
            beside: Folder of the table, which is searched before the root.

        Returns:
            What it is, and its path as the disk spells it: where it was expected for `missing`, a path that leaves the
            channel for `outside`.
        """
        for folder_path in (beside, posixpath.join(beside, IMAGES)) if beside else ():
            kind, path = self.find(posixpath.join(folder_path, name))
            if kind != "missing" and not leaves_folder(path):
                return kind, path
        if leaves_folder(name):
            return "outside", name
        name = posixpath.normpath(name)
        head, _, tail = name.rpartition("/")
        if head not in self._candidates:
            folders = ("", *self.image_folders)
            self._candidates[head] = [self._resolve(posixpath.join(folder, head).rstrip("/")) for folder in folders]
        for folder in self._candidates[head]:
            kind, path = self._find_in(folder, tail)
            if kind != "missing":
                return kind, path
        has_images = self.folder().kinds.get(IMAGES) == "folder" and not name.startswith(IMAGES + "/")
        return "missing", f"{IMAGES}/{name}" if has_images else name

    def find_spelling(self, name: str, beside: str = "") -> Found:
        """Looks up a name as `find` does, then by what else it may mean.

        A name may have `\\` for `/`, may begin with `/` or `images/`, may lack the extension of an image, or have it in
        other letter case. Where that fits several files of a folder, none is found.

        Args:
            name: The name.
            beside: Folder of the table, which is searched before the root.
        """
        kind, path = self.find(name, beside)
        if kind in ("file", "folder"):
            return Found(kind, path)
        alike = self._find_alike(name, beside)
        if len(alike) > 1:
            return Found("several", listing(own for _, own in alike))
        return Found(*alike[0], is_respelled=True) if alike else Found(kind, path)

    def locate_images(self, names: Sequence[str], beside: str = "") -> None:
        """Searches one folder more for the images of a table: where none of a sample of them is found otherwise, the
        only folder that has any of the sample. Logs which. What another table located is forgotten.

        Args:
            names: The names of the table's images, in the order of its rows.
            beside: Folder of the table.
        """
        self.image_folders = (IMAGES,)
        self._candidates.clear()
        paths = [_as_path(name) for name in sample_names(names) if not leaves_folder(_as_path(name))]
        if any(self.find_spelling(path, beside).kind != "missing" for path in paths):
            return
        holding = [parent for parent in self._parents if any(self._in_folder(parent, path) for path in paths)]
        if len(holding) == 1:
            if holding[0] not in self._logged:
                log.info("the images of the table lie in %s, the only folder that has them", holding[0])
                self._logged.add(holding[0])
            self.image_folders = (IMAGES, holding[0])
            self._candidates.clear()

    @cached_property
    def _parents(self) -> list[str]:
        """The folders that hold files, and those above them."""
        own = {PurePosixPath(path).parent for _, path in self.below("")}
        return sorted({str(folder) for path in own for folder in (path, *path.parents)})

    def _find_alike(self, name: str, beside: str) -> list[tuple[Kind, str]]:
        """What another spelling of a name fits, in the first folder where it fits anything."""
        path = _as_path(name)
        if leaves_folder(path):
            return []
        for folder in dict.fromkeys((beside, posixpath.join(beside, IMAGES), "", *self.image_folders)):
            for spelling in dict.fromkeys((path, path.removeprefix(f"{IMAGES}/"))):
                if found := self._in_folder(folder, spelling):
                    return found
        return []

    def _in_folder(self, folder: str, name: str) -> list[tuple[Kind, str]]:
        """What a name fits in a folder: as it is, else the images with another spelling of the extension."""
        head, _, tail = posixpath.join(folder, name).rpartition("/")
        kind, parent = self._resolve(head)
        if kind != "folder":
            return []
        kind, exact = self._find_in((kind, parent), tail)
        if kind in ("file", "folder"):
            return [(kind, exact)]
        return [("file", posixpath.join(parent, own)) for own in self.folder(parent).alike(tail)]

    def _resolve(self, path: str) -> tuple[Kind, str]:
        """What is at a path below the root, and its path as the disk spells it."""
        if not path:
            return "folder", ""
        head, _, tail = path.rpartition("/")
        return self._find_in(self._resolve(head), tail)

    def _find_in(self, folder: tuple[Kind, str], name: str) -> tuple[Kind, str]:
        kind, path = folder
        prefix = f"{path}/" if path else ""
        if kind == "outside":
            return kind, prefix + name
        content = self.folder(path) if kind == "folder" else None
        spelling = content.spelling(name) if content else None
        if content is None or spelling is None:
            return "missing", prefix + name
        kind = content.kinds[spelling]
        return kind, content.targets[spelling] if kind == "outside" else prefix + spelling

    def similar(self, path: str) -> str:
        """`; nearest: NAME` where a missing file exists with another extension or in other letter case, else ""."""
        head, _, tail = path.rpartition("/")
        for folder in (head, IMAGES, ""):
            name = self.folder(folder).same_stem(tail)
            if name:
                return f"; nearest: {posixpath.join(folder, name)}"
        return ""

    def archives(self) -> list[str]:
        """The archives in the root that are no shards."""
        return [name for name in self.folder().names("file") if name.lower().endswith(ARCHIVE_SUFFIXES)]

    def below(self, path: str) -> Iterator[tuple[Kind, str]]:
        """Every file below a folder and every link that leaves the channel, sorted, folder by folder.

        A link to a folder that contains it is not followed.
        """
        parents = (self.root / parent for parent in PurePosixPath(path).parents)
        return self._below(path, frozenset(map(os.path.realpath, parents)))

    def _below(self, path: str, above: frozenset[str]) -> Iterator[tuple[Kind, str]]:
        real = os.path.realpath(self.root / path)
        if real in above:
            return
        for name, kind in self.folder(path).kinds.items():
            if kind == "folder":
                yield from self._below(posixpath.join(path, name), above | {real})
            else:
                yield kind, posixpath.join(path, name)
