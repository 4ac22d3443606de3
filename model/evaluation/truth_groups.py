"""Groups of the evaluated images, such as persons, over which intervals are computed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from model.answers.read import ClassTable, find_column
from model.artifacts.provenance import Provenance
from model.attributes import normal_text
from model.data.groups import PATTERN_COLUMN, groups_of_paths
from model.data.readers.columns import GROUP_COLUMNS, column_named
from model.errors import Problems


@dataclass(frozen=True)
class Groups:
    """Fields of MatchedAnswers on groups, in the order of the true labels."""

    column: str | None = None
    codes: np.ndarray | None = None
    names: list[str] = field(default_factory=list)


def find_groups(
    truth: ClassTable | None, column: str | None, pattern: str | None, problems: Problems, notes: list[str]
) -> Groups:
    """Groups of the images: from the column of that name, or if none is set, from one of a usual name, or by the
    group_pattern of the training from the image names, if all of them match.

    Args:
        truth: The true labels.
        column: The setting group_column; a column of that name must exist.
        pattern: The group_pattern of the training; None without one.
        problems: Collects a missing column.
        notes: Collects images without a group.
    """
    if truth is None:
        return Groups()
    if column is not None:
        column = find_column(truth.table, (column,), "groups", truth.file, problems)
    else:
        column = column_named(truth.table.columns, *GROUP_COLUMNS)
    if column is None:
        column, values = PATTERN_COLUMN, _groups_by_pattern(truth, pattern, notes) if pattern else None
    else:
        values = truth.table[column].map(normal_text)
    if values is None:
        return Groups()
    is_empty = values == ""
    if is_empty.any():
        notes.append(f"images without a {column}, each of which is a group of its own: {int(is_empty.sum()):,}")
    # each image without a group gets a key of its own
    keys = values.where(~is_empty, pd.Series([f"\0{row}" for row in values.index], index=values.index))
    codes, names = pd.factorize(keys)
    return Groups(column, codes.astype(np.int64), ["" if name.startswith("\0") else name for name in names])


def _groups_by_pattern(truth: ClassTable, pattern: str, notes: list[str]) -> pd.Series | None:
    """The group of each image by the group_pattern of the training; None, with a note, if a name does not match."""
    try:
        groups = groups_of_paths(truth.table[truth.name_column].map(normal_text), pattern)
    except (re.error, IndexError, TypeError):  # from a labels.json that training did not write
        return None
    without = groups.count("")
    if without:
        notes.append(
            f"no groups: {without:,} of {len(groups):,} image names do not match the model's group_pattern {pattern}"
        )
        return None
    notes.append(f"images are grouped by the model's group_pattern {pattern}")
    return pd.Series(groups, index=truth.names.index, dtype=object)


def column_in_training(column: str | None, provenance: Provenance | None) -> str:
    """The column of groups as the training data names it; "" if it is not PATTERN_COLUMN, as training writes it."""
    names = {member.grouped_by for member in provenance.members} if provenance else set()
    return (names.pop() or "") if column == PATTERN_COLUMN and len(names) == 1 else ""
