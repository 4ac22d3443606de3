"""read_channel: reads a labelled channel of any layout into a Table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.data.default_scheme import default_scheme
from model.data.duplicates import refuse_duplicates, unambiguous_rows
from model.data.image_locations import ImageLocations
from model.data.label_pattern import add_pattern_columns
from model.data.readers.channel_files import ChannelFiles, has_content
from model.data.readers.columns import GROUP_COLUMNS, LABEL_COLUMNS, column_named
from model.data.readers.detect import read_rows
from model.data.readers.rows import Rows
from model.data.table import Table
from model.errors import InputError, Problems, did_you_mean, listing
from model.labels import Attribute, Scheme, normal_text, scheme_from_config
from model.settings.train import TrainSettings

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class ChannelOptions:
    """How a channel is read; the settings of training that have these names.

    Attributes:
        layout: auto, csv, profiles, classes, lst, manifest or files.
        table: Name of the CSV, .lst or manifest in the channel.
        picture_column: Column of image names.
        group_column: Column of the groups that no split may divide.
        metadata_columns: Columns to keep as metadata; none means all that are nothing else.
        attributes: Label scheme as in an experiment file.
        age_cuts: Years at which the mask scheme cuts the age.
        duplicates: What rows that name one image are: `error`, or `skip`, which resolves them by their labels.
    """

    layout: str = "auto"
    table: str | None = None
    picture_column: str | None = None
    group_column: str | None = None
    metadata_columns: Sequence[str] = ()
    attributes: Mapping[str, Any] | None = None
    age_cuts: Sequence[float] = (30, 60)
    duplicates: str = "error"

    @classmethod
    def from_settings(cls, settings: TrainSettings) -> ChannelOptions:
        """The options in the settings of a training."""
        return cls(
            settings.layout,
            settings.table,
            settings.picture_column,
            settings.group_column,
            settings.metadata_columns,
            settings.attributes,
            settings.age_cuts,
            settings.duplicates,
        )


def read_channel(
    root: Path, problems: Problems, options: ChannelOptions | None = None, scheme: Scheme | None = None
) -> Table | None:
    """Reads the labelled channel at root into a table of its valid rows.

    Args:
        root: Folder of the channel.
        problems: Collects everything that is wrong; the caller raises it once the images have been checked too.
        options: How the channel is read.
        scheme: Label scheme of the training channel, which a validation channel must share.

    Returns:
        The table, its invalid rows set aside; None where nothing can be read at all.
    """
    options = options or ChannelOptions()
    files = ChannelFiles(Path(root))
    if not has_content(files, problems):
        return None
    rows = None
    try:
        if scheme is None and options.attributes:
            scheme = scheme_from_config(options.attributes)
        rows = read_rows(files, options.layout, options.table, options.picture_column, problems)
        for path, reason in files.unreadable.items():
            problems.add("file or folder that cannot be read", f"{path}: {reason}")
        if rows is None:
            return None
        rows = rows if options.duplicates == "skip" else refuse_duplicates(rows, problems)
        add_pattern_columns(rows, scheme.attributes if scheme else (), problems)
        if not (rows.paths or rows.set_aside or problems):
            problems.add("channel without pictures", f"{root}: {rows.source}")
        group = _column(rows, options.group_column, "group column", problems) if options.group_column else None
        group = group or column_named(rows.columns, *GROUP_COLUMNS)
        metadata = [_column(rows, name, "metadata column", problems) for name in options.metadata_columns]
        if scheme is None:
            scheme = default_scheme(rows, options.age_cuts, problems)
    except InputError as error:
        problems.add("label scheme", str(error))
        scheme = None
    if rows is None:
        return None
    if scheme is None:
        return _unlabelled_table(files, rows)
    table = _labelled_table(files, rows, scheme, group, [column for column in metadata if column], problems)
    if not len(table) and not len(table.set_aside):
        return None
    absent = [scheme.class_names[code] for code in np.flatnonzero(table.class_counts() == 0)]
    if absent and not problems:
        log.warning(
            "%s: no picture of %d of %d classes: %s", files.root, len(absent), scheme.num_classes, listing(absent)
        )
    return table


def _unlabelled_table(files: ChannelFiles, rows: Rows) -> Table:
    """A table without rows, every image set aside: without a label scheme only the images can be checked."""
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


def _labelled_table(
    files: ChannelFiles, rows: Rows, scheme: Scheme, group: str | None, metadata: Sequence[str], problems: Problems
) -> Table:
    """The table of the rows whose labels all fit the scheme; each of the others is a problem and set aside.

    group: Column of the groups; metadata: columns to keep, none means every column that is nothing else.
    """
    # Parse the labels, each attribute from its column
    valid = np.ones(len(rows.paths), dtype=bool)
    labels: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    label_columns = _label_columns(rows, scheme, problems)
    for attribute, column in zip(scheme.attributes, label_columns):
        codes, parsed_numbers = _parse(attribute, rows, column, problems)
        valid &= codes >= 0
        labels[attribute.name] = codes
        if not np.isnan(parsed_numbers).all():
            numbers[attribute.name] = parsed_numbers
    if not metadata:
        used = {group, *label_columns, *(column_named(rows.columns, name) for name in LABEL_COLUMNS)}
        metadata = [column for column in rows.columns if column not in used]

    # Keep the valid rows, one of each image
    unambiguous = unambiguous_rows(rows.paths, labels)
    kept = np.flatnonzero(valid & unambiguous)
    index = pd.RangeIndex(len(kept))

    def kept_texts(column: str) -> pd.Series:
        texts = rows.columns[column]
        return pd.Series([texts[row] for row in kept], index=index, dtype="str")

    groups = [(normal_text(rows.columns[group][row]) if group else "") or rows.paths[row] for row in kept]
    invalid = [rows.paths[row] for row in np.flatnonzero(~valid)]
    return Table(
        root=files.root,
        scheme=scheme,
        locations=ImageLocations(files.shards.locate(rows.paths[row]) for row in kept),
        groups=np.array(groups, dtype=object),
        grouped_by=group or "",
        labels=pd.DataFrame({name: codes[kept] for name, codes in labels.items()}, index=index),
        numbers=pd.DataFrame({name: values[kept] for name, values in numbers.items()}, index=index),
        metadata=pd.DataFrame({column: kept_texts(column) for column in metadata}, index=index),
        source=rows.source,
        set_aside=ImageLocations(map(files.shards.locate, (*rows.set_aside, *invalid))),
    )


def _column(rows: Rows, name: str, role: str, problems: Problems) -> str | None:
    """The column that a setting names, as the table spells it; None, and a problem, where there is none."""
    column = column_named(rows.columns, name)
    if column is None:
        columns = listing(rows.columns) or "none"
        near = did_you_mean(name, rows.columns)
        problems.add(f"missing {role}", f"{rows.source} has no column {name!r}; there are {columns}{near}")
    return column


def _label_columns(rows: Rows, scheme: Scheme, problems: Problems) -> list[str | None]:
    """The column of each attribute, None where it has none.

    A layout that defines its label columns gives them in the order of the attributes. If the scheme comes from another
    table, its only attribute `label` is read from the usual label columns.
    """
    if len(rows.label_columns) == len(scheme.attributes):
        by_name = [column_named(rows.columns, attribute.column) for attribute in scheme.attributes]
        return by_name if all(by_name) else list(rows.label_columns)
    if scheme.names == ("label",) and not column_named(rows.columns, scheme.attributes[0].column):
        usual = column_named(rows.columns, *LABEL_COLUMNS)
        if usual:
            return [usual]
    return [_column(rows, attribute.column, "label column", problems) for attribute in scheme.attributes]


def _parse(attribute: Attribute, rows: Rows, column: str | None, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Classes, int64 (n,), -1 where a value is invalid, and the numbers behind them, float64 (n,).

    A value that several images share, as those of one folder do, is reported once.
    """
    codes = np.full(len(rows.paths), -1, dtype=np.int64)
    numbers = np.full(len(rows.paths), np.nan)
    if column is None:
        return codes, numbers
    parsed_texts: dict[str, tuple[int, float | None] | str] = {}  # class and number, or what is wrong, by text
    reported: set[tuple[str, str]] = set()
    for row, text in enumerate(rows.columns[column]):
        if text not in parsed_texts:
            try:
                parsed_texts[text] = attribute.parse(text)
            except ValueError as error:
                parsed_texts[text] = str(error)
        parsed = parsed_texts[text]
        origin = rows.origins[row]
        if isinstance(parsed, tuple):
            codes[row] = parsed[0]
            if parsed[1] is not None:
                numbers[row] = parsed[1]
        elif (origin, parsed) not in reported:
            reported.add((origin, parsed))
            kind = "unparsable number" if attribute.cuts else "unknown label"
            problems.add(kind if normal_text(text) else "empty label", f"{origin}: {parsed}")
    return codes, numbers
