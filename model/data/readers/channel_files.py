"""ChannelFiles finds the files of a channel by the names that are used in tables.

Each folder is listed once, so that a table of 200,000 names is looked up without a system call per row.
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
from model.data.readers.text_table import TableCache
from model.errors import listing
from model.paths import leaves_folder

log = logging.getLogger("rarebird")

# Files and folders that file managers and network storage add, in lower case: thumbnails of Synology and QNAP, trash,
# snapshots, resource forks in archives of macOS
IGNORED = frozenset(
    {"@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "__macosx"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini"}
)
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
SAMPLE = 20  # to find the folder of a table's images: names from its start, and as many spread over the table
IMAGES = "images"  # the folder next to a table in which its images may be
OUTSIDE = "path outside the channel"

Kind = Literal["file", "folder", "outside", "missing"]


@dataclass(frozen=True)
class Folder:
    """The content of one folder, sorted by name.

    Attributes:
        kinds: The kind of each name.
        targets: The target of each link that leads out of the channel.
    """

    kinds: dict[str, Kind]
    targets: dict[str, str]

    def names(self, kind: Kind) -> list[str]:
        """The names of one kind."""
        return [name for name, own in self.kinds.items() if own == kind]

    def spelling(self, name: str) -> str | None:
        """The name on disk: the same, or the same in another Unicode form (macOS writes NFD, tables are NFC)."""
        if name in self.kinds:
            return name
        return None if name.isascii() else self._composed.get(unicodedata.normalize("NFC", name))

    @cached_property
    def _composed(self) -> dict[str, str]:
        return {unicodedata.normalize("NFC", name): name for name in self.kinds}

    def same_stem(self, name: str) -> str | None:
        """A file with this name but another extension or letter case."""
        return self._stems.get(os.path.splitext(name)[0].lower())

    def alike(self, name: str) -> list[str]:
        """The images with this name, ignoring letter case of the extension, or the extension if the name has none."""
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
class NameMatch:
    """The result of looking up a name of a table.

    Attributes:
        kind: Kind of the file; `ambiguous` if the name matches more than one file.
        path: Path on disk; see ChannelFiles.find for missing files. If ambiguous, all matching paths.
        is_respelled: Whether the name on disk is spelled differently.
    """

    kind: Kind | Literal["ambiguous"]
    path: str
    is_respelled: bool = False


def _spelling_key(name: str) -> str:
    """A name in composed Unicode, with the extension of an image in lower case."""
    name = unicodedata.normalize("NFC", name)
    stem, suffix = os.path.splitext(name)
    return stem + suffix.lower() if is_image(name) else name


def sample_names(names: Sequence[str]) -> list[str]:
    """The first names of a table and some from all of it, since rows are often sorted by class; no empty names."""
    spread = (names[len(names) * number // SAMPLE] for number in range(SAMPLE)) if names else ()
    return list(dict.fromkeys(filter(None, map(normal_text, (*names[:SAMPLE], *spread)))))


def _as_path(name: str) -> str:
    """A name as a path relative to the root, with `/`."""
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/")


class ChannelFiles:
    """The files of a channel, by path relative to its root, with `/`; "" is the root.

    Hidden files and folders (whose names start with a dot) and those in IGNORED are ignored. A link that leads out of
    the channel is `outside` and not followed, unless follow_links is set and it leads to a file or folder. Images in
    shards are treated like files.

    Attributes:
        root: Folder of the channel.
        follow_links: Whether links out of the channel are followed.
        outside_links: Target of each link out of the channel that leads to images, by its path or by the row with its
            name. Readers add to it, `report_outside_links` reports it.
        shards: Index of the images in tar files.
        image_folders: Folders below the root in which the images of tables are looked up.
        unreadable: Reason by path: why a folder cannot be listed, or why a name cannot be used.
        unread_tables: The column of image names of each table that a warning has named as not read, "" if it has none.
        tables, lists: Tables that were read to detect the layout.

    Raises:
        InputError: The index of the shards is invalid.
    """

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self.root, self.follow_links = root, follow_links
        self.outside_links: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}
        self.unread_tables: dict[str, str] = {}
        self.shards: Shards = read_shards(root)
        self.image_folders: tuple[str, ...] = (IMAGES,)
        self._real = os.path.realpath(root)
        self._folders: dict[str, Folder] = {}
        self._logged: set[str] = set()  # folders of images that have been logged
        self._candidates: dict[str, list[tuple[Kind, str]]] = {}  # possible folders, by the folder part of a name
        self.tables, self.lists = TableCache(), TableCache()

    def folder(self, path: str = "") -> Folder:
        """The content of a folder; empty if it does not exist or is a link that is not followed."""
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
                    # Names that are not UTF-8 contain surrogates, which cannot occur in a table
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
        """Whether a link to this path must not be followed; links to nothing or to a device are never followed."""
        if target == self._real or target.startswith(self._real + os.sep):
            return False
        return not self.follow_links or not (os.path.isfile(target) or os.path.isdir(target))

    def add_outside_link(self, path: str) -> None:
        """Adds a link that leads out of the channel to outside_links."""
        folder, _, name = path.rpartition("/")
        self.outside_links[path] = self.folder(folder).targets[name]

    def find(self, name: str, table_folder: str = "") -> tuple[Kind, str]:
        """Looks up a name of a table in its exact spelling: next to the table, in the root, and in images/ of both.

        Args:
            name: The name.
            table_folder: Folder of the table, which is searched before the root.

        Returns:
            The kind of the file and its path on disk. For `missing` it is the path at which the file was expected, for
            `outside` a path that leaves the channel.
        """
        for folder_path in (table_folder, posixpath.join(table_folder, IMAGES)) if table_folder else ():
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

    def find_spelling(self, name: str, table_folder: str = "") -> NameMatch:
        """Looks up a name as `find` does, then in other spellings.

        A name may have `\\` instead of `/`, may begin with `/` or `images/`, may lack the extension of an image, or
        have it in another letter case. If that matches more than one file of a folder, the result is `ambiguous`.
        Arguments: see find.
        """
        kind, path = self.find(name, table_folder)
        if kind in ("file", "folder"):
            return NameMatch(kind, path)
        alike = self._find_alike(name, table_folder)
        if len(alike) > 1:
            return NameMatch("ambiguous", listing(own for _, own in alike))
        return NameMatch(*alike[0], is_respelled=True) if alike else NameMatch(kind, path)

    def locate_images(self, names: Sequence[str], table_folder: str = "") -> None:
        """Adds the folder of a table's images to image_folders, and logs it.

        It is only added if no image of a sample is found otherwise, and if no other folder contains any of them. A
        folder that was added for another table is removed.

        Args:
            names: The names of the table's images, in the order of its rows.
            table_folder: Folder of the table.
        """
        self.image_folders = (IMAGES,)
        self._candidates.clear()
        paths = [_as_path(name) for name in sample_names(names) if not leaves_folder(_as_path(name))]
        if any(self.find_spelling(path, table_folder).kind != "missing" for path in paths):
            return
        folders = [parent for parent in self._parents if any(self._in_folder(parent, path) for path in paths)]
        if len(folders) == 1:
            if folders[0] not in self._logged:
                log.info("the images of the table are in %s, the only folder that contains them", folders[0])
                self._logged.add(folders[0])
            self.image_folders = (IMAGES, folders[0])
            self._candidates.clear()

    @cached_property
    def _parents(self) -> list[str]:
        """The folders that contain files, and those above them."""
        own = {PurePosixPath(path).parent for _, path in self.below("")}
        return sorted({str(folder) for path in own for folder in (path, *path.parents)})

    def _find_alike(self, name: str, table_folder: str) -> list[tuple[Kind, str]]:
        """The files that another spelling of a name matches, in the first folder with a match."""
        path = _as_path(name)
        if leaves_folder(path):
            return []
        for folder in dict.fromkeys((table_folder, posixpath.join(table_folder, IMAGES), "", *self.image_folders)):
            for spelling in dict.fromkeys((path, path.removeprefix(f"{IMAGES}/"))):
                if matches := self._in_folder(folder, spelling):
                    return matches
        return []

    def _in_folder(self, folder: str, name: str) -> list[tuple[Kind, str]]:
        """The file of exactly this name in a folder, otherwise the images with another spelling of the extension."""
        head, _, tail = posixpath.join(folder, name).rpartition("/")
        kind, parent = self._resolve(head)
        if kind != "folder":
            return []
        kind, exact = self._find_in((kind, parent), tail)
        if kind in ("file", "folder"):
            return [(kind, exact)]
        return [("file", posixpath.join(parent, own)) for own in self.folder(parent).alike(tail)]

    def _resolve(self, path: str) -> tuple[Kind, str]:
        """The kind of a path below the root, and the path on disk."""
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
        """`; nearest: NAME` if a missing file exists with another extension or letter case, otherwise ""."""
        head, _, tail = path.rpartition("/")
        for folder in (head, IMAGES, ""):
            name = self.folder(folder).same_stem(tail)
            if name:
                return f"; nearest: {posixpath.join(folder, name)}"
        return ""

    def archives(self) -> list[str]:
        """The archives in the root that are not shards."""
        return [name for name in self.folder().names("file") if name.lower().endswith(ARCHIVE_SUFFIXES)]

    def below(self, path: str) -> Iterator[tuple[Kind, str]]:
        """Yields the files, and links out of the channel, below a folder, sorted. Ignores links to folders above it."""
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
