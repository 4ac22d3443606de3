"""Groups of images, such as all images of a person, that no split may divide: from a column or from the paths."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from model.attributes import pattern_column
from model.data.readers.columns import GROUP_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import Problems

log = logging.getLogger("rarebird")

PATTERN_COLUMN = "group"  # one of GROUP_COLUMNS, so that evaluation finds it in the ground truth
OTHER_COLUMN = pattern_column(PATTERN_COLUMN)  # used if the channel already has a column `group`


def usual_group_column(rows: Rows, labels: Sequence[str | None]) -> str | None:
    """The first column with a name of GROUP_COLUMNS; None if there is none.

    Label columns, such as that of an attribute `person`, are excluded: each class would be one group.

    Args:
        rows: The rows of the channel.
        labels: The label columns.
    """
    return column_named([column for column in rows.columns if column not in labels], *GROUP_COLUMNS)


def group_by_pattern(rows: Rows, pattern: str, problems: Problems) -> str:
    """Adds a column with the group that a regular expression finds in each path. A path without a match is a problem.

    Args:
        rows: The images.
        pattern: Regular expression. Its group named `group` (default: its first group) is the group of an image.
        problems: Collects the paths that do not match.

    Returns:
        The name of the new column.
    """
    groups = groups_of_paths(rows.paths, pattern)
    for path, group in zip(rows.paths, groups, strict=True):
        if not group:
            problems.add("path without a group", f"{path} does not match group_pattern {pattern!r}")
    existing = column_named(rows.columns, PATTERN_COLUMN)
    if existing is not None:
        log.info("%s: groups are found by group_pattern, not read from column %s", rows.source, existing)
    column = PATTERN_COLUMN if existing is None else OTHER_COLUMN
    rows.columns[column] = groups
    return column


def groups_of_paths(paths: Iterable[str], pattern: str) -> list[str]:
    """The group that `pattern` (see group_by_pattern) finds in each path; "" without a match."""
    expression = re.compile(pattern)
    key: str | int = "group" if "group" in expression.groupindex else 1
    return [(match[key] or "") if match else "" for match in map(expression.search, paths)]


def log_groups(rows: Rows, column: str | None, pattern: str | None) -> None:
    """Logs by which column or pattern images are grouped, or that each image is a group of its own."""
    if pattern:
        log.info("%s: images are grouped by group_pattern %s", rows.source, pattern)
    elif column is None and (rows.named_by_folder or not rows.columns):
        advice = "set group_pattern to find groups in the paths, such as persons, that no split may divide"
        log.info("%s: each image is a group of its own; %s", rows.source, advice)
    elif column is None:
        usual = " or ".join(GROUP_COLUMNS)
        advice = "set group_column or group_pattern if there are groups, such as persons, that no split may divide"
        log.info("%s: no column %s, so each image is a group of its own; %s", rows.source, usual, advice)
    else:
        log.info("%s: images are grouped by column %s", rows.source, column)
