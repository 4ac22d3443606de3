"""Settings for reading channels (layout, table, labels, groups), and for splitting and checking those of a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.settings.checks import invalid_group_pattern, unknown_encoding
from model.settings.choices import ALL_LEVELS, LAYOUTS, NO_LEVEL
from model.settings.fields import setting
from model.settings.nested import arguments, names_by_attribute


@dataclass(frozen=True)
class ReadingSettings:
    """How a channel is read, for every command that reads labelled images."""

    layout: str = setting(
        "auto",
        "How images and labels are stored; auto: detected, csv: a CSV file, profiles: a folder per person, "
        "classes: a folder per class, lst: a .lst file, manifest: a SageMaker augmented manifest, list: a "
        "text file of paths and labels, files: image files whose labels are in their paths",
        choices=LAYOUTS,
        section="Data",
        reading=True,
    )
    table: str | None = setting(
        None,
        "Table of images and labels in the data folder: a CSV, .lst, manifest, or list of paths and labels; "
        "required if there are several tables",
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
        "Names of the levels of nested class folders, from the top; each level becomes an attribute, for "
        "example aisle product variety. The name _ skips a level. If the only name is label, the top folders "
        "are the classes; if it is all, the whole paths are. Without names, the whole paths are the classes, "
        "and folders that do not look like classes are an error",
        reading=True,
    )
    follow_links: bool = setting(
        False,
        "Read images through symbolic links that point outside the data folder; not allowed in a container",
        result=False,
    )
    group_column: str | None = setting(
        None,
        "Column with the group of each image, such as its person or sender; all images of a group stay on "
        "the same side of a split",
        unset="group, person, sender or people_path",
        reading=True,
    )
    group_pattern: str | None = setting(
        None,
        "Regular expression that finds the group (person or sender) in the path of an image. The group is "
        "the text in the parentheses named `group`, or in the first parentheses: '([^/]+)_[0-9]+' finds "
        "Tiger_Woods in Tiger_Woods_0001.jpg",
        reading=True,
    )
    split_column: str | None = setting(
        None,
        "Column with the split of each image. Rows with train or training are used for training, rows with "
        "validation, valid or val for validation; rows with test or any other value are ignored",
        reading=True,
    )
    encoding: str = setting(
        "utf-8",
        "Encoding of tables, such as cp1252 or cp949; ignored for a file with a byte-order mark of UTF-8 or UTF-16",
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
        "What to do if several rows name the same image; error: stop, skip: keep the first row if all have "
        "the same labels, otherwise remove the image",
        choices=("error", "skip"),
        reading=True,
    )
    metadata_columns: list[str] = setting(
        [],
        "Columns to keep as metadata of the images; with --fusion, those that the network reads",
        unset="all other columns",
        reading=True,
    )
    corrections: str | None = setting(
        None,
        "File with corrections of labels, as the review page writes it: images and groups that get another label or "
        "are left out. A file that is not found in the working folder is looked for in the data folder",
        reading=True,
        placeholder="FILE",
    )
    attributes: dict[str, Any] = setting(
        {},
        "Labels of each attribute: [values], {cuts: [...]} or {column: ..., values: [...]}; if no values are "
        "listed, those in the data are used. Options: drop: [...], merge: {new: [old, ...]}, fold_case, "
        "optional; for a number with cuts, learn: distribution with sigma",
        unset="found in the data",
        nested=names_by_attribute,
    )
    age_cuts: list[float] = setting(
        [30.0, 60.0],
        "Boundaries between the age bands of the mask scheme; 30 60 gives the bands under 30, 30 to 59, and 60 "
        "and over",
        unit="years",
    )

    def reading_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings of tables, groups and class folders."""
        yield from unknown_encoding(self.encoding)
        if self.group_pattern:
            yield from invalid_group_pattern(self.group_pattern)
            if self.group_column:
                yield "group_column and group_pattern both define the groups; set only one of them"
        names = [name for name in self.folder_levels if name != NO_LEVEL]
        if self.folder_levels and (self.table or self.layout not in ("auto", "classes")):
            yield f"folder_levels is for class folders, not for {self.table or f'layout {self.layout}'}"
        if len(set(names)) < len(names) or (ALL_LEVELS in names and len(self.folder_levels) > 1):
            levels = " ".join(self.folder_levels)
            yield f"folder_levels must be different names, or only {ALL_LEVELS}, not {levels}"


@dataclass(frozen=True)
class ChannelSettings(ReadingSettings):
    """Base of TrainSettings: how the channels are read, split and checked, in its section `Data`."""

    weight_column: str | None = setting(
        None,
        "Column with a weight of at least 0 for each training image, by which its loss is multiplied; weights are "
        "scaled to a mean of 1",
        unset="all images have the same weight",
        reading=True,
    )
    train_groups: str | None = setting(
        None,
        "File with the groups (or folders) to train on, one per line; images of other groups are ignored",
        result=False,
        placeholder="FILE",
    )
    validation_groups: str | None = setting(
        None,
        "File with the groups (or folders) of the validation split, one per line; all other groups are used "
        "for training",
        result=False,
        placeholder="FILE",
    )
    validation: float = setting(
        0.2,
        "Share of the groups (of the images, if there are no groups) to hold out for validation if there are "
        "no separate validation images; 0: no validation",
        low=0,
        high=0.9,
    )
    folds: int = setting(
        0,
        "Number of cross-validation folds. One model is trained per fold, and the predictions of all models "
        "are combined; each training image also gets an out-of-fold prediction. 0: one model, one split",
        low=0,
        high=100,
        common=True,
    )
    clean: str | None = setting(
        None,
        "Change training labels that out-of-fold predictions contradict. auto: first train the folds (5, or --folds) "
        "on the training images; FILE: the folder out_of_fold of an earlier run with --folds, or the suspects.csv of "
        "`python -m exploration noise`, whose suggestions are accepted. Validation labels are not changed",
        unset="labels are not changed",
        placeholder="FILE|auto",
    )
    clean_args: dict[str, Any] = setting(
        {},
        "With --clean: relabel_at (a label changes if another class has at least this probability; 0.9), drop_below "
        "(otherwise an image is left out if its label has a lower probability; 0.05) and cap (largest share of the "
        "groups of a class that change; 0.3). With suspects.csv: relabel_at (least probability that a label is wrong; "
        "0.6) and cap (of the images of a class; 0.3)",
        nested=arguments,
    )
    check: str = setting(
        "decode",
        "How images are checked before training; decode: each image is decoded completely, headers: only its "
        "size is read",
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
    max_pixels: int = setting(
        0,
        "Maximum number of pixels of an image; a larger image counts as unreadable. 0 means 178,956,970",
        unit="pixels",
        low=0,
        result=False,
    )
    pixel_range: list[float] = setting(
        [],
        "For images with more than 8 bits per channel: the pixel values that become 0 and 255, for example 0 4095",
        unset="measured on a sample of the training images",
    )
    allow_overlap: bool = setting(
        False,
        "Train even if the same image or group is in both the training and the validation data",
        result=False,
    )

    def split_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings of splits."""
        if self.clean_args and not self.clean:
            yield "clean_args is used only with --clean"
        if self.split_column:
            for name in ("folds", "train_groups", "validation_groups"):
                if getattr(self, name):
                    yield f"split_column and {name} both split the images; set only one of them"
