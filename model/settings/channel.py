"""Settings of the channels of a training: layout, table, labels, groups, split and checks of the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.settings.checks import invalid_group_pattern, unknown_encoding
from model.settings.choices import ALL_LEVELS, LAYOUTS, NO_LEVEL
from model.settings.fields import setting
from model.settings.nested import names_by_attribute


@dataclass(frozen=True)
class ChannelSettings:
    """Base of TrainSettings, which has what is read of the channels in its section `Data`."""

    layout: str = setting(
        "auto", "how the channel is laid out; auto recognises it", choices=LAYOUTS, section="Data", reading=True
    )
    table: str | None = setting(
        None,
        "path of the table, .lst, manifest or list of paths and labels in the channel where there are several",
        reading=True,
    )
    picture_column: str | None = setting(
        None, "column that names the images; else ImageID, image_name, path, filename, ...", reading=True
    )
    folder_levels: list[str] = setting(
        [],
        "names of the levels of class folders, from the top, each an attribute: aisle product variety; label: the "
        "folders at the top are the classes; all: the path down to the images; _: a level that is no label; none: the "
        "path, if the folders look like classes",
        reading=True,
    )
    follow_links: bool = setting(
        False,
        "read images behind symbolic links that lead out of the channel; on your own machine, refused in a container",
        result=False,
    )
    group_column: str | None = setting(
        None,
        "column of persons or senders that no split parts; else group, person, sender or people_path",
        reading=True,
    )
    group_pattern: str | None = setting(
        None,
        "regular expression on an image's path, whose group (?P<group>...), else the first, is the image's group: "
        "'([^/]+)_[0-9]+' for Tiger_Woods_0001.jpg",
        reading=True,
    )
    split_column: str | None = setting(
        None,
        "column that names each image's split: train, training; validation, valid, val; test and others are left out",
        reading=True,
    )
    encoding: str = setting(
        "utf-8",
        "encoding of tables, such as cp1252 or cp949; a byte-order mark of UTF-8 or UTF-16 goes before it",
        reading=True,
    )
    missing: str = setting(
        "error",
        "what a row without an image is: an error, or skip, which leaves it out",
        choices=("error", "skip"),
        reading=True,
    )
    duplicates: str = setting(
        "error",
        "what rows that name one image are: an error, or skip, which keeps the first of rows with the same labels, "
        "and none of rows whose labels differ",
        choices=("error", "skip"),
        reading=True,
    )
    metadata_columns: list[str] = setting([], "columns to keep as metadata; else every other column", reading=True)
    attributes: dict[str, Any] = setting(
        {},
        "label scheme: attribute: [values], {cuts: [...]} or {column: ..., values: [...]}, without values those that "
        "occur; with drop: [...], merge: {new: [old, ...]}, fold_case and optional; else found in the channel",
        nested=names_by_attribute,
    )
    train_groups: str | None = setting(
        None, "file that lists the groups (or folders) to learn from, one a line; the others are left out", result=False
    )
    validation_groups: str | None = setting(
        None, "file that lists the groups (or folders) to choose by, one a line; train is the others", result=False
    )
    age_cuts: list[float] = setting([30.0, 60.0], "ages at which the mask scheme's bands begin", unit="years")
    validation: float = setting(
        0.2, "share of the groups held out where there is no validation channel; 0: none", low=0, high=0.9
    )
    folds: int = setting(
        0,
        "models to train, each on all but one of so many parts; they answer together, and each row of the channel is "
        "answered by the one that did not see it; 0: one model on a split",
        low=0,
        high=100,
    )
    check: str = setting(
        "decode",
        "how images are checked before training: decoded whole, or only headers and sizes",
        choices=("decode", "headers"),
        result=False,
    )
    unreadable: str = setting(
        "error",
        "what happens to images that cannot be read: error reports them all; skip leaves them out and lists them in "
        "unreadable.csv beside the split",
        choices=("error", "skip"),
        result=False,
    )
    max_pixels: int = setting(0, "largest image that is read, in pixels; 0: 178,956,970", low=0, result=False)
    pixel_range: list[float] = setting(
        [],
        "values that become 0 and 255 in images of more than 8 bits a channel, as in 0 4095; none: found in a sample "
        "of the training images",
    )
    allow_overlap: bool = setting(
        False, "train although the same image or group is in the channels train and validation", result=False
    )

    def table_contradictions(self) -> Iterator[str]:
        """Sentences about settings of tables, groups and splits that contradict each other."""
        yield from unknown_encoding(self.encoding)
        if self.group_pattern:
            yield from invalid_group_pattern(self.group_pattern)
            if self.group_column:
                yield "group_column and group_pattern both name the groups; give one of them"
        if self.split_column:
            for name in ("folds", "train_groups", "validation_groups"):
                if getattr(self, name):
                    yield f"split_column and {name} both divide the images; give one of them"

    def folder_contradictions(self) -> Iterator[str]:
        """Sentences about settings of class folders that contradict each other."""
        names = [name for name in self.folder_levels if name != NO_LEVEL]
        if self.folder_levels and (self.table or self.layout not in ("auto", "classes")):
            yield f"folder_levels belongs to class folders, not {self.table or self.layout}"
        if len(set(names)) < len(names) or (ALL_LEVELS in names and len(self.folder_levels) > 1):
            yield f"folder_levels takes names that differ, or {ALL_LEVELS} alone, not {' '.join(self.folder_levels)}"
