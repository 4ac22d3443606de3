"""Labels that are part of a text, such as the age in 00000A02.jpg: the first group of a regular expression."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from model.data.readers.columns import column_named
from model.data.readers.rows import Rows
from model.errors import Problems, listing
from model.labels import Attribute

log = logging.getLogger("rarebird")


def add_pattern_columns(rows: Rows, attributes: Iterable[Attribute], problems: Problems) -> None:
    """Adds a column of labels for each attribute that has a pattern.

    The label is the first group of the pattern in the attribute's column, or in the path of the image where the
    pattern comes without a column. An image whose path does not match has an empty label, which the log counts; a value
    of a column that does not match stays as it is, so that it can be dropped or is reported as unknown.

    Args:
        rows: Rows of a channel; the columns are added to it under the attributes' `label_column`.
        attributes: Attributes of the label scheme.
        problems: Collects patterns that match nothing. A column that does not exist is left to the caller.
    """
    added = {}
    for attribute in attributes:
        if not attribute.pattern:
            continue
        source = column_named(rows.columns, attribute.column) if attribute.column else None
        if source or not attribute.column:
            texts = rows.columns[source] if source else rows.paths
            added[attribute.label_column] = _labels(attribute, texts, is_path=source is None, problems=problems)
    rows.columns.update(added)


def _labels(attribute: Attribute, texts: Sequence[str], *, is_path: bool, problems: Problems) -> list[str]:
    """The label in each text: the first group of the attribute's pattern."""
    pattern = re.compile(attribute.pattern)
    matches = [pattern.search(text) for text in texts]
    labels = [(match[1] or "") if match else ("" if is_path else text) for match, text in zip(matches, texts)]
    unmatched = [text for text, match in zip(texts, matches) if not match and text.strip()]
    where = "path" if is_path else f"value of column {attribute.column}"
    if unmatched and not any(matches):
        detail = f"attribute {attribute.name}: {attribute.pattern!r} is in no {where}, such as {unmatched[0]!r}"
        problems.add("label pattern without a match", detail)
    elif unmatched:
        count = f"{len(unmatched):,} of {len(texts):,}"
        log.warning(
            "attribute %s: %r does not match the %s of %s images: %s",
            *(attribute.name, attribute.pattern, where, count, listing(dict.fromkeys(unmatched), 5)),
        )
    return labels
