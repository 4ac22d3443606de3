"""read_channel reads a labelled channel of any layout into a Table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.attributes import Attribute
from model.data.correction_files import log_path
from model.data.corrections import read_log
from model.data.default_scheme import default_scheme
from model.data.duplicates import refuse_duplicates
from model.data.groups import group_by_pattern, log_groups, usual_group_column
from model.data.image_locations import ImageLocations
from model.data.label_columns import find_column, scheme_from_forms
from model.data.label_forms import AttributeForm, forms_from_config
from model.data.label_pattern import add_pattern_columns
from model.data.labelled_rows import Roles, labelled_table
from model.data.readers.channel_checks import has_content, report_outside_links
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.class_folders import FolderLevels
from model.data.readers.columns import GROUP_COLUMNS, column_named
from model.data.readers.detect import read_rows
from model.data.readers.rows import Rows
from model.data.readers.table_options import TableOptions
from model.data.split_column import rows_of_splits, sides_by_path
from model.data.table import Table
from model.errors import InputError, Problems, listing
from model.labels import Scheme
from model.settings.channel import ReadingSettings
from model.settings.choices import NO_LEVEL

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ChannelOptions:
    """How a channel is read. Each attribute is the setting of the same name (ReadingSettings; num_classes: training).

    Attributes:
        layout: auto, csv, profiles, classes, lst, manifest, list or files.
        table: Path of the annotation file in the channel.
        picture_column: Column of image names.
        group_column: Column of the groups that no split may divide.
        metadata_columns: Columns to keep as metadata; empty: all columns that have no other use.
        attributes: Label scheme as in an experiment file.
        age_cuts: Ages in years at which the mask scheme starts a new band.
        num_classes: If labels are whole numbers, the classes are 0 to num_classes - 1, even if some do not occur; 0:
            the classes are the numbers that occur.
        encoding: Encoding of annotation files without a byte-order mark.
        missing: `error` if a row without an image is an error; `skip` to skip such rows.
        split_column: Column with the split of each row.
        weight_column: Column of the weights of images; a validation channel need not have it.
        group_pattern: Regular expression that is searched in the path of an image. Its group named `group` (default:
            its first group) is the group of the image.
        folder_levels: Name of the column for each level of class folders.
        follow_links: Whether links that lead out of the channel are followed.
        duplicates: `error` if rows with the same image are an error; `skip` to keep one of them if their labels agree
            and none if they differ.
        corrections: File with corrections of labels (model.data.corrections).
    """

    layout: str = "auto"
    table: str | None = None
    picture_column: str | None = None
    group_column: str | None = None
    metadata_columns: Sequence[str] = ()
    attributes: Mapping[str, Any] | None = None
    age_cuts: Sequence[float] = (30, 60)
    num_classes: int = 0
    encoding: str = "utf-8"
    missing: str = "error"
    split_column: str | None = None
    weight_column: str | None = None
    group_pattern: str | None = None
    folder_levels: Sequence[str] = ()
    follow_links: bool = False
    duplicates: str = "error"
    corrections: str | None = None

    @property
    def table_options(self) -> TableOptions:
        """How annotation files are read."""
        labels = [
            str(form.get("column") or name) if isinstance(form, Mapping) else name
            for name, form in (self.attributes or {}).items()
        ]
        return TableOptions(
            self.table, self.picture_column, self.encoding, self.missing, self.split_column, label_columns=labels
        )

    @classmethod
    def from_settings(cls, settings: ReadingSettings) -> ChannelOptions:
        """The options from the settings of a command that reads a channel."""
        own = {field.name: getattr(settings, field.name) for field in fields(cls) if hasattr(settings, field.name)}
        return cls(**own)


def read_channel(
    root: Path, problems: Problems, options: ChannelOptions | None = None, scheme: Scheme | None = None
) -> Table | None:
    """Reads the labelled channel at root into a table of its valid rows.

    Args:
        root: Folder of the channel.
        problems: Collects everything that is wrong; the caller raises it once the images have been checked too.
        options: How the channel is read.
        scheme: Label scheme of the training channel, used to read the validation channel; None to derive the scheme
            from the options or the channel.

    Returns:
        The table; images of invalid rows are in `set_aside`. None if nothing can be read. If its scheme is_large, the
        joint classes are the combinations that occur in it.
    """
    options = options or ChannelOptions()
    files = ChannelFiles(Path(root), options.follow_links)
    if not has_content(files, problems):
        return None
    corrections = None
    if options.corrections:
        corrections = read_log(log_path(options.corrections, files.root), problems, options.encoding)
    rows = None
    try:
        # Read the rows as text
        forms = forms_from_config(options.attributes or {})
        attributes = scheme.attributes if scheme else forms
        rows = _read_rows(files, options, attributes, problems)
        if rows is None:
            return None
        add_pattern_columns(rows, attributes, problems)
        if not (rows.paths or rows.set_aside or problems):
            problems.add("channel without images", f"{root}: no images in {rows.source}")

        # Find the columns of splits, groups and metadata
        split = find_column(rows, options.split_column, "split column", problems) if options.split_column else None
        rows = rows_of_splits(rows, split, problems) if split else rows
        weight = column_named(rows.columns, options.weight_column) if options.weight_column else None
        if options.weight_column and scheme is None:  # a validation channel needs no weights
            weight = find_column(rows, options.weight_column, "weight column", problems)
        roles = replace(_find_roles(rows, options, split, attributes, forms, problems), weight=weight)
        if scheme is None or roles.group:  # for the validation channel, advice on groups would be repeated
            log_groups(rows, roles.group, options.group_pattern)

        # Derive the label scheme
        if scheme is None and forms:
            scheme = scheme_from_forms(forms, rows, problems)
        elif scheme is None:
            scheme = default_scheme(rows, options.age_cuts, options.num_classes, problems)
    except InputError as error:
        problems.add("label scheme", str(error))
        scheme = None
    if rows is None:
        return None
    if scheme is None:
        return _unlabelled_table(files, rows)

    # Parse the labels
    table = labelled_table(files, rows, scheme, roles, corrections, problems)
    if not len(table) and not len(table.set_aside):
        if not problems:
            problems.add("no images to train on", f"{rows.source}: none of its {len(rows.paths):,} rows is used")
        return None
    if roles.split:
        sides = sides_by_path(rows, roles.split)
        table = replace(table, sides=np.array([sides[path] for path in table.locations.paths], dtype=object))
    if scheme.is_large:
        return replace(table, scheme=scheme.occurring(table.codes()))
    absent = [scheme.class_names[code] for code in np.flatnonzero(table.class_counts() == 0)]
    if absent and not problems:
        log.warning(
            "%s: %d of %d classes have no image: %s", files.root, len(absent), scheme.num_classes, listing(absent)
        )
    return table


def _find_roles(
    rows: Rows,
    options: ChannelOptions,
    split: str | None,
    attributes: Sequence[Attribute | AttributeForm],
    forms: Sequence[AttributeForm],
    problems: Problems,
) -> Roles:
    """The columns of splits, groups and metadata.

    Args:
        rows: The rows. The setting group_pattern adds a column to them.
        options: How the channel is read.
        split: Column of the splits.
        attributes: Attributes whose columns are no groups.
        forms: The parsed setting `attributes`.
        problems: Collects columns that do not exist.
    """
    group = find_column(rows, options.group_column, "group column", problems) if options.group_column else None
    group = group or usual_group_column(rows, [column_named(rows.columns, one.column) for one in attributes])
    group = group_by_pattern(rows, options.group_pattern, problems) if options.group_pattern else group
    metadata = [find_column(rows, name, "metadata column", problems) for name in options.metadata_columns]
    return Roles(group, split, [column for column in metadata if column], forms)


def _read_rows(
    files: ChannelFiles,
    options: ChannelOptions,
    attributes: Sequence[Attribute | AttributeForm],
    problems: Problems,
) -> Rows | None:
    """Reads the rows of a channel as text; None, and a problem, if nothing can be read.

    attributes: Attributes of the scheme or of the settings; empty if they are only known after reading the rows.
    """
    levels = _folder_levels(options, attributes)
    named = [one.pattern.column if one.pattern else one.column for one in attributes]
    log_file = log_path(options.corrections, files.root) if options.corrections else None
    table_options = replace(
        options.table_options,
        label_columns=[name for name in named if name],
        not_input=log_file.name if log_file and log_file.resolve().parent == files.root.resolve() else None,
    )
    rows = read_rows(files, options.layout, table_options, problems, levels)
    report_outside_links(files, problems)
    for path, reason in files.unreadable.items():
        problems.add("unreadable file or folder", f"{path}: {reason}")
    if rows is None or (files.outside_links and not (rows.paths or rows.set_aside)):
        return None
    return rows if options.duplicates == "skip" else refuse_duplicates(rows, problems)


def _folder_levels(options: ChannelOptions, attributes: Sequence[Attribute | AttributeForm]) -> FolderLevels:
    """Returns how class folders become labels (arguments: see _read_rows). Raises InputError if no level is a label."""
    groups = (options.group_column, options.split_column, *GROUP_COLUMNS, *options.metadata_columns)
    no_labels = [name for name in options.folder_levels if name in groups]
    named = [(*attribute.values, *attribute.rules.names()) for attribute in attributes if attribute.values]
    classes = named[0] if len(attributes) == len(named) == 1 else ()
    levels = FolderLevels(options.folder_levels, no_labels, classes)
    if levels.names and not levels.attributes:
        raise InputError(
            f"folder_levels {' '.join(levels.names)}: at least one level must be a label, as in "
            f"--folder_levels {NO_LEVEL} label"
        )
    return levels


def _unlabelled_table(files: ChannelFiles, rows: Rows) -> Table:
    """A table without rows and with every image in `set_aside`: without a label scheme only images can be checked."""
    empty = pd.DataFrame(index=pd.RangeIndex(0))
    return Table(
        root=files.root,
        scheme=Scheme((Attribute("label", ("unknown",)),)),
        locations=ImageLocations(),
        groups=np.array([], dtype=object),
        grouped_by="",
        labels=empty,
        numbers=empty,
        metadata=empty,
        source=rows.source,
        set_aside=ImageLocations(map(files.shards.locate, (*rows.set_aside, *rows.paths))),
    )
