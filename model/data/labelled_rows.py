"""Makes the table of a channel from its rows: parses the labels, corrects them, and keeps the valid rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from model.attributes import MISSING, UNKNOWN, normal_text
from model.data.corrected_labels import CorrectedImages
from model.data.corrections import CorrectionLog
from model.data.duplicates import unambiguous_rows
from model.data.image_locations import ImageLocations
from model.data.image_weights import read_weights
from model.data.label_columns import label_columns, read_label_column, takes_indices
from model.data.label_forms import AttributeForm
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.columns import LABEL_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.data.table import Table
from model.errors import Problems
from model.labels import Scheme

log = logging.getLogger("rarebird")


@dataclass(frozen=True)
class Roles:
    """Columns with a special role.

    Attributes:
        group: Column of the groups.
        split: Column of the splits.
        metadata: Columns to keep as metadata; empty: every column that has no other use.
        forms: The parsed setting `attributes`.
        weight: Column of the weights.
    """

    group: str | None
    split: str | None
    metadata: Sequence[str]
    forms: Sequence[AttributeForm]
    weight: str | None = None

    def groups(self, rows: Rows) -> Sequence[str]:
        """The group of each row; the path of its image if it has none."""
        if self.group is None:
            return rows.paths
        return [normal_text(group) or path for group, path in zip(rows.columns[self.group], rows.paths)]

    def metadata_columns(self, rows: Rows, labels: Sequence[str | None]) -> Sequence[str]:
        """The columns to keep as metadata. labels: the columns of the attributes."""
        if self.metadata:
            return self.metadata
        used = {
            self.group,
            self.split,
            self.weight,
            *labels,
            *(column_named(rows.columns, name) for name in LABEL_COLUMNS),
        }
        return [column for column in rows.columns if column not in used]


def labelled_table(
    files: ChannelFiles,
    rows: Rows,
    scheme: Scheme,
    roles: Roles,
    log_of_corrections: CorrectionLog | None,
    problems: Problems,
) -> Table:
    """The table of the rows whose labels, once corrected, all fit the scheme.

    A row with an invalid label is a problem, and its image is in `set_aside`. Rows that the rules of an attribute drop
    are skipped.

    Args:
        files: Files of the channel.
        rows: Its rows.
        scheme: The label scheme.
        roles: Columns with a special role.
        log_of_corrections: Corrections of the labels; None without the setting.
        problems: Collects invalid labels.
    """
    columns = label_columns(rows, scheme.attributes, problems)
    groups = roles.groups(rows)
    corrections = None
    if log_of_corrections:
        corrections = CorrectedImages(log_of_corrections, rows.paths, groups, files.root.absolute().name)
    labels, numbers = _read_labels(rows, scheme, columns, roles.forms, corrections, problems)
    deleted = np.zeros(len(rows.paths), dtype=bool) if corrections is None else corrections.deleted
    codes_by_row = np.stack(list(labels.values()))
    valid = (codes_by_row >= MISSING).all(axis=0) & ~deleted
    invalid = (codes_by_row == UNKNOWN).any(axis=0) & ~deleted
    labelled = (codes_by_row >= 0).any(axis=0)

    metadata = roles.metadata_columns(rows, columns)

    # Keep valid rows that have at least one label, and one row per image
    unlabelled = valid & ~labelled
    if unlabelled.any():
        log.warning("%s: skipped %s rows without any label", rows.source, f"{unlabelled.sum():,}")
    kept = np.flatnonzero(valid & labelled & unambiguous_rows(rows.paths, labels))
    index = pd.RangeIndex(len(kept))

    def kept_texts(column: str) -> pd.Series:
        texts = rows.columns[column]
        return pd.Series([texts[row] for row in kept], index=index, dtype="str")

    weights = read_weights(rows, roles.weight, kept.tolist(), problems) if roles.weight else None
    set_aside = [rows.paths[row] for row in np.flatnonzero(invalid)]
    return Table(
        root=files.root,
        scheme=scheme,
        locations=ImageLocations(files.shards.locate(rows.paths[row]) for row in kept),
        groups=np.array(groups, dtype=object)[kept],
        grouped_by=roles.group or "",
        labels=pd.DataFrame({name: codes[kept] for name, codes in labels.items()}, index=index),
        numbers=pd.DataFrame({name: values[kept] for name, values in numbers.items()}, index=index),
        metadata=pd.DataFrame({column: kept_texts(column) for column in metadata}, index=index),
        source=rows.source,
        set_aside=ImageLocations(map(files.shards.locate, (*rows.set_aside, *set_aside))),
        corrected=corrections.record() if corrections else None,
        weights=weights,
    )


def _read_labels(
    rows: Rows,
    scheme: Scheme,
    columns: Sequence[str | None],
    forms: Sequence[AttributeForm],
    corrections: CorrectedImages | None,
    problems: Problems,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The classes and the numbers of all rows by attribute, corrected. Without any number an attribute has no numbers.

    columns: The column of each attribute. Other arguments: see labelled_table.
    """
    labels: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    if corrections:
        corrections.check_attributes(scheme, rows.columns, problems)
    for attribute, column in zip(scheme.attributes, columns):
        indices = takes_indices(attribute, forms)
        corrected = corrections.is_corrected(attribute.name) if corrections else None
        read = read_label_column(attribute, rows, column, indices, problems, corrected)
        codes, own = read.codes, None if np.isnan(read.numbers).all() else read.numbers
        if corrections:
            codes, own = corrections.relabel(attribute, codes, own, problems)
        labels[attribute.name] = codes
        if own is not None:
            numbers[attribute.name] = own
    return labels, numbers
