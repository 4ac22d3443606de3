"""Settings for reading the channels of a training: layout, table, labels, groups, split and checks of the images."""

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
    """Base of TrainSettings: how the channels are read, in its section `Data`."""

    layout: str = setting(
        "auto",
        "Layout of the channel; auto detects it",
        choices=LAYOUTS,
        section="Data",
        reading=True,
    )
    table: str | None = setting(
        None,
        "Table (CSV, .lst, manifest or list of paths and labels) in the channel; required if there are several",
        unset="the only one",
        reading=True,
        placeholder="FILE",
    )
    picture_column: str | None = setting(
        None,
        "Column with the image names",
        unset="ImageID, image_name, path, filename, ...",
        reading=True,
    )
    folder_levels: list[str] = setting(
        [],
        "Names of the levels of class folders from the top, each an attribute, as in aisle product variety. _ ignores "
        "a level; label: the top folders are the classes; all: the whole path is the class; none: the path, if the "
        "folders look like classes",
        reading=True,
    )
    follow_links: bool = setting(
        False,
        "Read images behind symbolic links that lead out of the channel; refused in a container",
        result=False,
    )
    group_column: str | None = setting(
        None,
        "Column of persons or senders; all images of one stay on the same side of a split",
        unset="group, person, sender or people_path",
        reading=True,
    )
    group_pattern: str | None = setting(
        None,
        "Regular expression that is searched in the image path; its group named `group`, or its first group, is the "
        "image's group: '([^/]+)_[0-9]+' for Tiger_Woods_0001.jpg",
        reading=True,
    )
    split_column: str | None = setting(
        None,
        "Column with the split of each image: train or training; validation, valid or val; rows with test or another "
        "value are ignored",
        reading=True,
    )
    encoding: str = setting(
        "utf-8",
        "Encoding of tables, such as cp1252 or cp949; a byte-order mark of UTF-8 or UTF-16 overrides it",
        reading=True,
    )
    missing: str = setting(
        "error",
        "What to do with rows whose image is missing; error: stop, skip: ignore them",
        choices=("error", "skip"),
        reading=True,
    )
    duplicates: str = setting(
        "error",
        "What to do with several rows of one image; error: stop, skip: keep the first one if their labels agree, and "
        "otherwise none",
        choices=("error", "skip"),
        reading=True,
    )
    metadata_columns: list[str] = setting([], "Columns to keep as metadata", unset="all other columns", reading=True)
    attributes: dict[str, Any] = setting(
        {},
        "Label scheme by attribute: [values], {cuts: [...]} or {column: ..., values: [...]}; without values, those in "
        "the data. Options: drop: [...], merge: {new: [old, ...]}, fold_case, optional",
        unset="found in the data",
        nested=names_by_attribute,
    )
    train_groups: str | None = setting(
        None,
        "File with the groups (or folders) to train on, one per line; the others are ignored",
        result=False,
        placeholder="FILE",
    )
    validation_groups: str | None = setting(
        None,
        "File with the groups (or folders) of the validation split, one per line; the others are for training",
        result=False,
        placeholder="FILE",
    )
    age_cuts: list[float] = setting([30.0, 60.0], "Ages at which the age bands of the mask scheme start", unit="years")
    validation: float = setting(
        0.2,
        "Share of the groups to hold out if there is no validation channel; 0 holds out none",
        low=0,
        high=0.9,
    )
    folds: int = setting(
        0,
        "Number of cross-validation folds: one model per fold, which predict together; each image also gets an "
        "out-of-fold prediction. 0 trains one model on one split",
        low=0,
        high=100,
        common=True,
    )
    check: str = setting(
        "decode",
        "How images are checked before training; decode: decode them completely, headers: read only their sizes",
        choices=("decode", "headers"),
        result=False,
    )
    unreadable: str = setting(
        "error",
        "What to do with unreadable images; error: stop and list all of them, skip: ignore them and list them in "
        "unreadable.csv next to the split",
        choices=("error", "skip"),
        result=False,
    )
    max_pixels: int = setting(0, "Largest image to read; 0 means 178,956,970", unit="pixels", low=0, result=False)
    pixel_range: list[float] = setting(
        [],
        "Values that become 0 and 255 in images of more than 8 bits per channel, as in 0 4095",
        unset="measured on a sample of the training images",
    )
    allow_overlap: bool = setting(
        False,
        "Train even if the same image or group is in the training and the validation channel",
        result=False,
    )

    def table_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings of tables, groups and splits."""
        yield from unknown_encoding(self.encoding)
        if self.group_pattern:
            yield from invalid_group_pattern(self.group_pattern)
            if self.group_column:
                yield "group_column and group_pattern both define the groups; set only one of them"
        if self.split_column:
            for name in ("folds", "train_groups", "validation_groups"):
                if getattr(self, name):
                    yield f"split_column and {name} both split the images; set only one of them"

    def folder_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings of class folders."""
        names = [name for name in self.folder_levels if name != NO_LEVEL]
        if self.folder_levels and (self.table or self.layout not in ("auto", "classes")):
            yield f"folder_levels is for class folders, not for {self.table or f'layout {self.layout}'}"
        if len(set(names)) < len(names) or (ALL_LEVELS in names and len(self.folder_levels) > 1):
            levels = " ".join(self.folder_levels)
            yield f"folder_levels must be different names, or only {ALL_LEVELS}, not {levels}"
