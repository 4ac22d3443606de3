"""Groups of images, such as persons, that no split may divide: by a pattern of the paths or by a column."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from model.attributes import pattern_column
from model.data.readers.columns import GROUP_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import Problems

log = logging.getLogger("rarebird")

PATTERN_COLUMN = "group"  # a usual name, by which evaluation finds it in the truth
OTHER_COLUMN = pattern_column(PATTERN_COLUMN)  # where the channel has a column of that name already


def usual_group_column(rows: Rows, labels: Sequence[str | None]) -> str | None:
    """The column of a usual name that holds groups; None without one. A column of labels, as of an attribute `person`,
    is none: each class would be a group."""
    return column_named([column for column in rows.columns if column not in labels], *GROUP_COLUMNS)


def group_by_pattern(rows: Rows, pattern: str, problems: Problems) -> str:
    """Adds the column of the groups that a regular expression finds in the paths; a path without one is a problem.

    Args:
        rows: The images.
        pattern: Its group called `group`, else its first, is the group of an image.
        problems: Collects the paths that do not match.

    Returns:
        The name of the column, of which no other column is called.
    """
    groups = groups_of_paths(rows.paths, pattern)
    for path, group in zip(rows.paths, groups, strict=True):
        if not group:
            problems.add("path without a group", f"{path} does not match group_pattern {pattern!r}")
    existing = column_named(rows.columns, PATTERN_COLUMN)
    if existing is not None:
        log.info("%s: the column %s is not the group, since group_pattern is set", rows.source, existing)
    column = PATTERN_COLUMN if existing is None else OTHER_COLUMN
    rows.columns[column] = groups
    return column


def groups_of_paths(paths: Iterable[str], pattern: str) -> list[str]:
    """The group of each path by group_by_pattern's pattern; "" for one that does not match."""
    expression = re.compile(pattern)
    key: str | int = "group" if "group" in expression.groupindex else 1
    return [(match[key] or "") if match else "" for match in map(expression.search, paths)]


def log_groups(rows: Rows, column: str | None, pattern: str | None) -> None:
    """Logs by which column or pattern images are grouped, or that each is a group of its own."""
    if pattern:
        log.info("%s: images are grouped by group_pattern %s", rows.source, pattern)
    elif column is None and (rows.named_by_folder or not rows.columns):
        advice = "group_pattern finds groups that no split may divide in the paths"
        log.info("%s: each image is a group of its own; %s", rows.source, advice)
    elif column is None:
        usual = " or ".join(GROUP_COLUMNS)
        advice = "group_column or group_pattern names groups that no split may divide"
        log.info("%s: no column %s, each image is a group of its own; %s", rows.source, usual, advice)
    else:
        log.info("%s: images are grouped by column %s", rows.source, column)
