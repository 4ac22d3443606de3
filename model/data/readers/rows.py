"""Rows, which all readers of layouts return; ImageFinder, which finds the images that annotation files name."""

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
    """The images of a channel and their columns as text, before labels are parsed. All lists are aligned.

    Attributes:
        source: Layout and file, for messages.
        paths: Path of each image, relative to the channel.
        origins: Source of each row, for messages: `train.csv row 7`, or the folder whose name is the label.
        columns: Every column except that of the images, by name.
        label_columns: Columns that the layout itself defines as labels, in order.
        named_by_folder: Whether the label is the name of a folder.
        set_aside: Images whose rows have problems; they are checked like the others.
    """

    source: str
    paths: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    label_columns: tuple[str, ...] = ()
    named_by_folder: bool = False
    set_aside: list[str] = field(default_factory=list)

    def add(self, path: str, origin: str, values: Mapping[str, str]) -> None:
        """Adds a row.

        Args:
            path: Path of the image, relative to the channel.
            origin: Source of the row, for messages.
            values: A value for each of the columns.
        """
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
    """Finds the images of an annotation file's rows and reports those that cannot be used.

    Args:
        files: Files of the channel.
        problems: Collects the rows whose image cannot be used.
        table: Path of the annotation file below the channel; names are looked up next to it first.
        missing: `error` if a row without an image is an error; `skip` to skip such rows.
    """

    def __init__(self, files: ChannelFiles, problems: Problems, table: str = "", missing: str = "error") -> None:
        self.files, self.problems = files, problems
        self._table, self._missing = table, missing
        self._folder = posixpath.dirname(table)
        self._first_origin: dict[str, str] = {}  # by path: the first row with this image
        self._unused: set[str] = set()  # paths of rows that are not used
        self._respelled: list[str] = []  # details of names that are spelled differently on disk
        self._skipped: list[str] = []  # details of rows without an image

    def find(self, name: str, origin: str) -> tuple[Kind, str] | None:
        """Finds the image or profile folder of a row.

        Args:
            name: The name in the row.
            origin: File and line of the row, for messages.

        Returns:
            `file` or `folder`, and its path on disk. None, and a problem, if the name is empty, leads outside the
            channel, does not exist, matches more than one file, or is a folder that an earlier row has.
        """
        name = normal_text(name)
        if not name:
            self._report_missing("empty image name", f"{origin}: expected a path relative to the channel")
            return None
        match = self.files.find_spelling(name, self._folder)
        kind, path = match.kind, match.path
        if kind == "ambiguous":
            detail = f"{origin}: there is no file {name!r}, but {path}; write the exact file name"
            self.problems.add("ambiguous image name", detail)
            return None
        if kind == "outside" and not leaves_folder(name):
            self.files.outside_links[f"{origin}: {name}"] = path
            return None
        if kind == "outside":
            self.problems.add(OUTSIDE, f"{origin}: {name!r}, expected a path relative to the channel")
            return None
        if kind == "missing":
            self._report_missing("missing file", f"{origin}: {path}{self.files.similar(path)}")
            return None
        first_origin = self._first_origin.setdefault(path, origin)
        if kind == "folder" and first_origin != origin:
            self.problems.add("duplicate image", f"{origin}: {path} is already in {first_origin}")
            return None
        if match.is_respelled:
            self._respelled.append(f"{origin}: {name!r} is {path}")
        return kind, path

    def mark_unused(self, name: str) -> None:
        """Records that a row with this image is not used. The image need not exist."""
        match = self.files.find_spelling(normal_text(name), self._folder)
        if match.kind == "file":
            self._unused.add(match.path)

    def _report_missing(self, kind: str, detail: str) -> None:
        if self._missing == "skip":
            self._skipped.append(detail)
        else:
            self.problems.add(kind, detail, "to skip rows without an image: --missing skip")

    def finish(self) -> None:
        """Logs respelled names, skipped rows and the number of images without a row.

        Adds a problem if no image was found at all. Must be called after the last row.
        """
        if self._respelled:
            text = "%s: %s %s spelled differently from the files, such as %s"
            verb = "is" if len(self._respelled) == 1 else "are"
            log.info(text, self._table, _count(self._respelled, "image name"), verb, self._respelled[0])
        if not self._first_origin and (archives := self.files.archives()):
            self.problems.add("archives are not read", f"{listing(archives)}: unpack the images into the channel")
        if self._skipped and not self._first_origin:
            detail = f"{self._table}: none of {_count(self._skipped, 'image')} exists; {self._skipped[0]}"
            self.problems.add("no image found", detail)
        elif self._skipped:
            rows = _count(self._skipped, "row")
            log.warning("%s: skipped %s without an image: %s", self._table, rows, listing(self._skipped, 5))
        named = self._unused | self._first_origin.keys()
        folders = sorted({posixpath.dirname(path) for path in self._first_origin})
        inside = (
            posixpath.join(folder, name) for folder in folders for name in self.files.folder(folder).names("file")
        )
        without_row = [path for path in inside if is_image(path) and path not in named]
        if without_row:
            images = _count(without_row, "image")
            log.info(
                "%s: the table has no row for %s in its folders: %s",
                self._table,
                images,
                listing(without_row, 5),
            )

    def find_file(self, name: str, origin: str) -> str | None:
        """The path of an image file (see find); None, and a problem, for a folder."""
        match = self.find(name, origin)
        if match is None:
            return None
        kind, path = match
        if kind == "folder":
            self.problems.add("folder instead of an image", f"{origin}: {path}")
            return None
        return path


def _count(items: list[str], noun: str) -> str:
    return f"{len(items):,} {noun}{'s' if len(items) != 1 else ''}"


def warn_unused_files(paths: list[str], reason: str) -> None:
    """Logs in one line the files of a folder layout that are skipped. reason: why."""
    if paths:
        log.warning("skipped %s (%s): %s", _count(paths, "file"), reason, listing(paths, 5))
