"""Rows, which the reader of every layout returns; ImageFinder, which resolves the image names of annotation files."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.attributes import normal_text
from model.data.readers.channel_files import OUTSIDE, ChannelFiles, Kind
from model.data.readers.image_names import is_image
from model.errors import Problems, listing
from model.paths import leaves_folder

log = logging.getLogger("rarebird")


@dataclass
class Rows:
    """The images of a channel and what the layout says of them, as text without a label scheme. All lists are aligned.

    Attributes:
        source: Layout and file, for messages.
        paths: Path of each image, relative to the channel.
        origins: What each row was read from, for messages: `train.csv row 7`, or the folder whose name is the label.
        columns: Every column but that of the images, by name.
        label_columns: Columns that the layout itself defines as labels, in order.
        named_by_folder: Whether the label is the name of a folder.
        set_aside: Images whose rows had problems; they are checked like the others.
    """

    source: str
    paths: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    label_columns: tuple[str, ...] = ()
    named_by_folder: bool = False
    set_aside: list[str] = field(default_factory=list)

    def add(self, path: str, origin: str, values: Mapping[str, str]) -> None:
        """Adds a row with a value for each of the columns."""
        self.paths.append(path)
        self.origins.append(origin)
        for name, texts in self.columns.items():
            texts.append(values[name])

    def take(self, rows: Sequence[int]) -> Rows:
        """These rows alone, in this order."""
        columns = {name: [texts[row] for row in rows] for name, texts in self.columns.items()}
        paths, origins = [self.paths[row] for row in rows], [self.origins[row] for row in rows]
        return replace(self, paths=paths, origins=origins, columns=columns)


class ImageFinder:
    """Finds the images that the rows of an annotation file name; reports those that cannot be used.

    Args:
        files: Files of the channel.
        problems: Collects the rows whose image cannot be used.
        table: Path of the annotation file below the channel; names are looked up beside it first.
        missing: What a row without an image is: `error`, or `skip`, which leaves it out.
    """

    def __init__(self, files: ChannelFiles, problems: Problems, table: str = "", missing: str = "error") -> None:
        self.files, self.problems = files, problems
        self._table, self._missing = table, missing
        self._beside = posixpath.dirname(table)
        self._first_origin: dict[str, str] = {}  # by path: the row that named it first
        self._unused: set[str] = set()  # paths of rows that are left out
        self._respelled: list[str] = []  # details of names that are spelled in another way on disk
        self._skipped: list[str] = []  # details of rows without an image

    def find(self, name: str, origin: str) -> tuple[Kind, str] | None:
        """`file` or `folder`, and its path as the disk spells it. None, and a problem, where the name is empty, leads
        outside the channel or to nothing, fits several files, or is a folder that was named before."""
        name = normal_text(name)
        if not name:
            self._report_missing("empty image name", f"{origin}: expected a path below the channel")
            return None
        found = self.files.find_spelling(name, self._beside)
        kind, path = found.kind, found.path
        if kind == "several":
            detail = f"{origin}: {name!r} fits {path}; write the name as it is on disk"
            self.problems.add("ambiguous image name", detail)
            return None
        if kind == "outside" and not leaves_folder(name):
            self.files.outside_links[f"{origin}: {name}"] = path
            return None
        if kind == "outside":
            self.problems.add(OUTSIDE, f"{origin}: {name!r}, expected a path below the channel")
            return None
        if kind == "missing":
            self._report_missing("missing file", f"{origin}: {path}{self.files.similar(path)}")
            return None
        first_origin = self._first_origin.setdefault(path, origin)
        if kind == "folder" and first_origin != origin:
            self.problems.add("duplicate image", f"{origin}: {path} is named in {first_origin} already")
            return None
        if found.is_respelled:
            self._respelled.append(f"{origin}: {name!r} is {path}")
        return kind, path

    def leave_out(self, name: str) -> None:
        """Notes that a row of this image is not used; the image need not exist."""
        found = self.files.find_spelling(normal_text(name), self._beside)
        if found.kind == "file":
            self._unused.add(found.path)

    def _report_missing(self, kind: str, detail: str) -> None:
        if self._missing == "skip":
            self._skipped.append(detail)
        else:
            self.problems.add(kind, detail, "--missing skip leaves out the rows without an image")

    def finish(self) -> None:
        """Logs which names are spelled in another way on disk, which rows without an image are left out and how many
        images beside the found ones have no row. A problem where rows are left out and none is left."""
        if self._respelled:
            text = "%s: %s spelled in another way than the files, such as %s"
            log.info(text, self._table, _count(self._respelled, "image name"), self._respelled[0])
        if not self._first_origin and (archives := self.files.archives()):
            self.problems.add("archives that are not read", f"{listing(archives)}: unpack the images into the channel")
        if self._skipped and not self._first_origin:
            self.problems.add("no image found", f"{self._table}: not one of {len(self._skipped):,}; {self._skipped[0]}")
        elif self._skipped:
            rows = _count(self._skipped, "row")
            log.warning("%s: %s without an image left out: %s", self._table, rows, listing(self._skipped, 5))
        named = self._unused | self._first_origin.keys()
        folders = sorted({posixpath.dirname(path) for path in self._first_origin})
        inside = (
            posixpath.join(folder, name) for folder in folders for name in self.files.folder(folder).names("file")
        )
        without_row = [path for path in inside if is_image(path) and path not in named]
        if without_row:
            pictures = _count(without_row, "picture")
            log.info("%s: %s beside its own without a row: %s", self._table, pictures, listing(without_row, 5))

    def find_file(self, name: str, origin: str) -> str | None:
        """The path of an image file; a folder is a problem."""
        match = self.find(name, origin)
        if match is None:
            return None
        kind, path = match
        if kind == "folder":
            self.problems.add("folder in place of an image", f"{origin}: {path}")
            return None
        return path


def _count(items: list[str], noun: str) -> str:
    return f"{len(items):,} {noun}{'s' if len(items) != 1 else ''}"


def warn_left_out(paths: list[str], reason: str) -> None:
    """Logs in one line which files of a folder layout are no images of it."""
    if paths:
        log.warning("%s left out, %s: %s", _count(paths, "file"), reason, listing(paths, 5))
