"""Groups of images, such as persons, that no split may divide: by a pattern of the paths or by a column."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from model.data.readers.columns import GROUP_COLUMNS, column_named
from model.data.readers.rows import Rows
from model.errors import InputError, Problems

log = logging.getLogger("rarebird")

PATTERN_COLUMN = "group"  # a usual name, by which evaluation finds it in the truth


def usual_group_column(rows: Rows, labels: Sequence[str | None]) -> str | None:
    """The column of a usual name that holds groups; None without one. A column of labels, as of an attribute `person`,
    is none: each class would be a group."""
    return column_named([column for column in rows.columns if column not in labels], *GROUP_COLUMNS)


def group_by_pattern(rows: Rows, pattern: str, labels: Sequence[str | None], problems: Problems) -> str:
    """Adds the column of the groups that a regular expression finds in the paths; a path without one is a problem.

    Args:
        rows: The images.
        pattern: Its group called `group`, else its first, is the group of an image.
        labels: The columns that labels are read from.
        problems: Collects the paths that do not match.

    Returns:
        The name of the column.

    Raises:
        InputError: The column has labels.
    """
    if PATTERN_COLUMN in labels:
        raise InputError(
            f"{rows.source}: group_pattern writes its groups into a column {PATTERN_COLUMN}, which here has labels; "
            "give that column another name"
        )
    expression = re.compile(pattern)
    key: str | int = "group" if "group" in expression.groupindex else 1
    groups = []
    for path in rows.paths:
        match = expression.search(path)
        groups.append((match[key] or "") if match else "")
        if not groups[-1]:
            problems.add("path without a group", f"{path} does not match group_pattern {pattern!r}")
    rows.columns[PATTERN_COLUMN] = groups
    return PATTERN_COLUMN


def log_groups(rows: Rows, column: str | None, pattern: str | None) -> None:
    """Logs by which column or pattern images are grouped, or that each is a group of its own."""
    if pattern:
        log.info("%s: pictures are grouped by group_pattern %s", rows.source, pattern)
    elif column is None and (rows.named_by_folder or not rows.columns):
        advice = "group_pattern finds groups that no split may divide in the paths"
        log.info("%s: each picture is a group of its own; %s", rows.source, advice)
    elif column is None:
        usual = " or ".join(GROUP_COLUMNS)
        advice = "group_column or group_pattern names groups that no split may divide"
        log.info("%s: no column %s, each picture is a group of its own; %s", rows.source, usual, advice)
    else:
        log.info("%s: pictures are grouped by column %s", rows.source, column)
