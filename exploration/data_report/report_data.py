"""ReportData: the images of a channel and of an evaluation channel in one table, with the split of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from exploration.channels import ExploredChannel, cache_folder, read_labelled, require_folder
from exploration.joined_tables import joined_tables
from model.attributes import MISSING, normal_text
from model.data.channel import ChannelOptions
from model.data.checked_tables import check_table
from model.data.groups import groups_of_paths
from model.data.prediction_input import PredictionInput, has_labels, read_info
from model.data.readers.columns import GROUP_COLUMNS, LABEL_COLUMNS, column_named
from model.data.table import SIDE, Table
from model.errors import InputError, Problems, listing, nearest_path, raise_all
from model.labels import Scheme

TRAIN, EVAL, NO_SPLIT = "train", "eval", "in no split"
PATH = "path"  # column of split.csv


@dataclass(frozen=True)
class ReportData:
    """The images that a report describes.

    Attributes:
        table: The images of the channel, then those of the evaluation channel, with paths relative to their common
            folder. `sides` is the split of each image.
        paths: Path of each image in its own channel.
        split_names: Names of the splits, in the order of the report.
        in_channel: bool (n,), whether an image is in the channel, not in the evaluation channel.
        skipped: Channel, path and reason of each unreadable image.
        channels: Folder of each channel.
    """

    table: Table
    paths: list[str]
    split_names: list[str]
    in_channel: np.ndarray
    skipped: list[tuple[str, str, str]]
    channels: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def splits(self) -> np.ndarray:
        """int64 (n,), position of each image's split in split_names."""
        positions = {name: position for position, name in enumerate(self.split_names)}
        assert self.table.sides is not None
        return np.array([positions[name] for name in self.table.sides], dtype=np.int64)

    @cached_property
    def has_group(self) -> np.ndarray:
        """bool (n,), whether an image has a group; otherwise it is a group of its own, named by its path."""
        paths = self.table.locations.paths
        return np.array([group != path for group, path in zip(self.table.groups, paths)], dtype=bool)

    @cached_property
    def labelled_splits(self) -> list[int]:
        """Positions of the splits in which an image has a label."""
        has_label = (self.table.labels[list(self.table.scheme.names)].to_numpy() >= 0).any(axis=1)
        return np.unique(self.splits[has_label]).tolist()

    @cached_property
    def group_codes(self) -> np.ndarray:
        """int64 (n,), the same number for the images of a group."""
        return np.unique(self.table.groups.astype(str), return_inverse=True)[1].astype(np.int64)


def read_report_data(
    settings: ExploredChannel, channel: Path, evaluation: Path | None = None, split_csv: Path | None = None
) -> ReportData:
    """Reads and checks the channels.

    Args:
        settings: How channels are read.
        channel: Folder of the labelled channel.
        evaluation: Folder of the evaluation channel, with or without labels; None if there is none.
        split_csv: The split.csv of a training on the channel; None if there is none.

    Raises:
        InputError: A channel or split_csv is missing or invalid.
    """
    table = read_labelled(settings, channel)
    if split_csv is not None:
        table = replace(table, sides=read_splits(split_csv, table.locations.paths))
    elif table.sides is None:
        table = replace(table, sides=np.full(len(table), TRAIN, dtype=object))
    tables = [table]
    if evaluation is not None:
        other = read_evaluation(settings, evaluation, table.scheme)
        tables.append(replace(other, sides=np.full(len(other), EVAL, dtype=object)))
    assert table.sides is not None
    found = sorted(set(table.sides), key=lambda name: (name == NO_SPLIT, name != TRAIN, name))
    return ReportData(
        table=_joined(tables),
        paths=[path for own in tables for path in own.locations.paths],
        split_names=[*found, *([EVAL] if evaluation is not None else [])],
        in_channel=np.repeat([True, False], [len(table), sum(map(len, tables[1:]))]),
        skipped=[(str(own.root), path, reason) for own in tables for path, reason in own.skipped],
        channels=[str(own.root) for own in tables],
    )


def read_splits(path: Path, image_paths: Sequence[str]) -> np.ndarray:
    """The split of each image, str (n,), from a split.csv that train.py wrote; NO_SPLIT if it does not list the image.

    Args:
        path: The file.
        image_paths: Path of each image of the channel.

    Raises:
        InputError: The file is missing, has no columns `path` and `side`, or lists none of the images.
    """
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"split_csv {path}: there is no such file{nearest_path(path)}") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"split_csv {path}: cannot be read as a CSV file: {error}") from None
    missing = [name for name in (PATH, SIDE) if name not in rows]
    if missing:
        raise InputError(
            f"split_csv {path}: there is no column {listing(missing)}; its columns are {listing(rows.columns)}. "
            "Expected split.csv as train.py writes it"
        )
    by_path = dict(zip(rows[PATH], rows[SIDE]))
    if not any(name in by_path for name in image_paths):
        raise InputError(
            f"split_csv {path}: none of its {len(rows):,} paths, such as {listing(rows[PATH], 1)}, is an image of the "
            f"channel, such as {listing(image_paths, 1)}"
        )
    return np.array([by_path.get(name) or NO_SPLIT for name in image_paths], dtype=object)


def read_evaluation(settings: ExploredChannel, root: Path, scheme: Scheme) -> Table:
    """Reads an evaluation channel with the labels of `scheme` if it has them, otherwise without labels.

    Args:
        settings: How the labelled channel is read. Settings that do not fit the evaluation channel are ignored.
        root: Folder of the evaluation channel.
        scheme: Label scheme of the labelled channel.
    """
    require_folder(root)
    if settings.table and not (root / settings.table).is_file():
        settings = replace(settings, table=None)
    options = ChannelOptions.from_settings(settings)
    inputs = read_info(root, options.table_options, settings.follow_links)
    columns = list(inputs.rows.columns)
    settings = replace(
        settings,
        split_column=None,
        corrections=None,  # they are for the channel
        group_column=column_named(columns, settings.group_column) if settings.group_column else None,
        metadata_columns=[name for name in settings.metadata_columns if column_named(columns, name)],
    )
    if has_labels(inputs, scheme):
        return read_labelled(settings, root, scheme)
    problems = Problems(str(root))
    table = check_table(
        _unlabelled_table(settings, root, inputs, scheme), problems, cache_folder(settings) / "checked", skip=True
    )
    raise_all([problems])
    return table


def _unlabelled_table(settings: ExploredChannel, root: Path, inputs: PredictionInput, scheme: Scheme) -> Table:
    """A table whose labels are all missing. An image that has several rows is in the table once."""
    kept = np.flatnonzero(~pd.Series(inputs.locations.paths).duplicated().to_numpy())
    inputs = inputs.take(kept)
    # label columns of tables of images to predict have a placeholder
    left_out = {inputs.name_column, *(column_named(inputs.rows.columns, name) for name in LABEL_COLUMNS)}
    columns = [name for name in inputs.rows.columns if name not in left_out]
    group = settings.group_column or column_named(columns, *GROUP_COLUMNS)
    paths = inputs.locations.paths
    if settings.group_pattern:
        texts, group = groups_of_paths(paths, settings.group_pattern), "group"
    else:
        texts = list(map(normal_text, inputs.rows[group])) if group else [""] * len(paths)
    metadata = settings.metadata_columns or [name for name in columns if name != group]
    index = pd.RangeIndex(len(paths))
    return Table(
        root=root,
        scheme=scheme,
        locations=inputs.locations,
        groups=np.array([text or path for text, path in zip(texts, paths)], dtype=object),
        grouped_by=group or "",
        labels=pd.DataFrame(MISSING, index=index, columns=list(scheme.names), dtype=np.int64),
        numbers=pd.DataFrame(index=index),
        metadata=inputs.rows[metadata],
        source="images without labels",
    )


def _joined(tables: Sequence[Table]) -> Table:
    """One table of the rows of all tables, with their splits and, if its scheme is_large, the classes of all."""
    if len(tables) == 1:
        return tables[0]
    joined, _ = joined_tables(dict(zip((TRAIN, EVAL), tables)))
    scheme = joined.scheme
    if scheme.is_large:
        scheme = replace(scheme, combinations=None).occurring(joined.codes())
    sides = [side for table in tables if table.sides is not None for side in table.sides]
    return replace(joined, scheme=scheme, sides=np.array(sides, dtype=object))
