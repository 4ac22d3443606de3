"""Rows, which the reader of every layout returns; ImageFinder, which resolves the image names of annotation files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from model.data.readers.channel_files import OUTSIDE, ChannelFiles, Kind
from model.errors import Problems, listing
from model.labels import normal_text

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
    """Finds the images that the rows of an annotation file name; reports those that cannot be used."""

    def __init__(self, files: ChannelFiles, problems: Problems) -> None:
        self.files, self.problems = files, problems
        self._first_origin: dict[str, str] = {}  # by path: the row that named it first

    def find(self, name: str, origin: str) -> tuple[Kind, str] | None:
        """`file` or `folder`, and its path as the disk spells it. None, and a problem, where the name is empty, leads
        outside the channel or to nothing, or is a folder that was named before."""
        name = normal_text(name)
        if not name:
            self.problems.add("empty picture name", f"{origin}: expected a path below the channel")
            return None
        kind, path = self.files.find(name)
        if kind == "outside":
            link = "" if path == name else f" leads to {path}"
            self.problems.add(OUTSIDE, f"{origin}: {name!r}{link}, expected a path below the channel")
            return None
        if kind == "missing":
            self.problems.add("missing file", f"{origin}: {path}{self.files.similar(path)}")
            return None
        first_origin = self._first_origin.setdefault(path, origin)
        if kind == "folder" and first_origin != origin:
            self.problems.add("duplicate picture", f"{origin}: {path} is named in {first_origin} already")
            return None
        return kind, path

    def find_file(self, name: str, origin: str) -> str | None:
        """The path of an image file; a folder is a problem."""
        match = self.find(name, origin)
        if match is None:
            return None
        kind, path = match
        if kind == "folder":
            self.problems.add("folder in place of a picture", f"{origin}: {path}")
            return None
        return path


def warn_left_out(paths: list[str], reason: str) -> None:
    """Logs in one line which files of a folder layout are no images of it."""
    if paths:
        count = f"{len(paths):,} file{'s' if len(paths) != 1 else ''}"
        log.warning("%s left out, %s: %s", count, reason, listing(paths, 5))
