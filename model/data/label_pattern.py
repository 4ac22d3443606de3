"""Labels that are parts of a text, such as the age in 00000A02.jpg: the first group of a regular expression."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from model.attributes import LabelPattern
from model.data.readers.columns import column_named
from model.data.readers.rows import Rows
from model.errors import InputError, Problems, did_you_mean, listing

log = logging.getLogger("rarebird")


class Labelled(Protocol):
    """An attribute of a label scheme."""

    @property
    def name(self) -> str: ...

    @property
    def column(self) -> str: ...

    @property
    def pattern(self) -> LabelPattern | None: ...


def add_pattern_columns(rows: Rows, attributes: Iterable[Labelled], problems: Problems) -> None:
    """Adds the column of each attribute that has a pattern.

    The label is the first group of the pattern in the path of the image, or in a column. An image whose path does not
    match has an empty label, which the log counts. A value of a column that does not match stays as it is, so that it
    can be dropped or is reported as unknown.

    Args:
        rows: Rows of a channel, which get the columns.
        attributes: Attributes of the label scheme.
        problems: Collects patterns that match nothing.

    Raises:
        InputError: There is no such column.
    """
    added = {}
    for attribute in attributes:
        if attribute.pattern is None:
            continue
        if not attribute.pattern.column:
            added[attribute.column] = pattern_labels(attribute.name, attribute.pattern, rows.paths, problems)
            continue
        source = column_named(rows.columns, attribute.pattern.column)
        if source is None:
            near = did_you_mean(attribute.pattern.column, rows.columns)
            there = f"there are {listing(rows.columns) or 'none'}{near}"
            raise InputError(f"{rows.source} has no column {attribute.pattern.column!r}, whose pattern is set; {there}")
        added[attribute.column] = pattern_labels(attribute.name, attribute.pattern, rows.columns[source], problems)
    rows.columns.update(added)


def pattern_labels(name: str, pattern: LabelPattern, texts: Sequence[str], problems: Problems) -> list[str]:
    """The label in each of the texts; see add_pattern_columns.

    Args:
        name: Name of the attribute.
        pattern: Its pattern.
        texts: Paths of images, or the values of the pattern's column.
        problems: Collects that the pattern matches nothing.
    """
    matches = [re.search(pattern.expression, text) for text in texts]
    labels = [(match[1] or "") if match else (text if pattern.column else "") for match, text in zip(matches, texts)]

    # Report the texts without a match; an empty value of a column is a missing label
    unmatched = [text for text, match in zip(texts, matches) if not match and text.strip()]
    where = f"value of column {pattern.column}" if pattern.column else "path"
    if unmatched and not any(matches):
        detail = f"attribute {name}: {pattern.expression!r} matches no {where}, such as {unmatched[0]!r}"
        problems.add("label pattern without a match", detail)
    elif unmatched:
        log.warning(
            "attribute %s: %r does not match the %s of %s of %s images: %s",
            *(name, pattern.expression, where, f"{len(unmatched):,}", f"{len(texts):,}"),
            listing(dict.fromkeys(unmatched), 5),
        )
    return labels
