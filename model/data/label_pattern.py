"""Labels that a regular expression finds in a longer text, such as the age in 00000A02.jpg."""

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
    """Adds the column of each attribute that has a pattern to the rows of a channel.

    The label is the first group of the pattern in the path of the image, or in a column. If a path does not match, the
    label is empty, and the log counts such images. If a value of a column does not match, the value itself is the
    label, so that it can be dropped or is reported as unknown.

    Args:
        rows: Rows of a channel; the columns are added in place.
        attributes: Attributes of the label scheme.
        problems: Collects patterns that match nothing.

    Raises:
        InputError: The column to search does not exist.
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
            columns = f"its columns are {listing(rows.columns)}{near}" if rows.columns else "it has no columns"
            raise InputError(
                f"attribute {attribute.name!r}: {rows.source} has no column {attribute.pattern.column!r} to search for "
                f"its pattern; {columns}"
            )
        added[attribute.column] = pattern_labels(attribute.name, attribute.pattern, rows.columns[source], problems)
    rows.columns.update(added)


def pattern_labels(name: str, pattern: LabelPattern, texts: Sequence[str], problems: Problems) -> list[str]:
    """Finds the label in each text: see add_pattern_columns.

    Args:
        name: Name of the attribute.
        pattern: Its pattern.
        texts: Paths of images, or the values of the pattern's column.
        problems: Collects a pattern that matches no text.
    """
    matches = [re.search(pattern.expression, text) for text in texts]
    labels = [(match[1] or "") if match else (text if pattern.column else "") for match, text in zip(matches, texts)]

    # Report the texts without a match; an empty value of a column is a missing label
    unmatched = [text for text, match in zip(texts, matches) if not match and text.strip()]
    where = f"value of column {pattern.column}" if pattern.column else "path"
    if unmatched and not any(matches):
        detail = f"attribute {name!r}: pattern {pattern.expression!r} matches no {where}, such as {unmatched[0]!r}"
        problems.add("label pattern without a match", detail)
    elif unmatched:
        log.warning(
            "attribute %r: pattern %r does not match the %s of %s of %s images: %s",
            *(name, pattern.expression, where, f"{len(unmatched):,}", f"{len(texts):,}"),
            listing(dict.fromkeys(unmatched), 5),
        )
    return labels
