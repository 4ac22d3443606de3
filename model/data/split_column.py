"""Splits that a column of the table defines: the rows that training uses, and the side of each row."""

from __future__ import annotations

import logging
from collections import Counter

from model.attributes import normal_text
from model.data.readers.rows import Rows
from model.data.readers.split_names import SPLIT_NAMES, UNUSED, side_of
from model.errors import Problems, did_you_mean

log = logging.getLogger("rarebird")


def rows_of_splits(rows: Rows, column: str, problems: Problems) -> Rows:
    """The rows of the train and validation splits.

    Args:
        rows: The rows of a channel.
        column: The split column.
        problems: Collects values that are not the name of a split.
    """
    texts = rows.columns[column]
    counts = Counter(text for text in map(normal_text, texts) if side_of(text) is None)
    known = [name for names in SPLIT_NAMES.values() for name in names]
    for text, count in counts.items():
        near = did_you_mean(text, known) if problems.shows_next("unknown split") else ""
        expected = f"expected {' or '.join(known)}{near}"
        problems.add("unknown split", f"{rows.source}: {column} = {text!r} in {count:,} rows, {expected}")
    used = [row for row, text in enumerate(texts) if side_of(text) != UNUSED]
    if len(used) == len(texts):
        return rows
    log.info("%s: skipped %s rows of other splits", rows.source, f"{len(texts) - len(used):,}")
    return rows.take(used)


def sides_by_path(rows: Rows, column: str) -> dict[str, str]:
    """The side of each image by its path: `train`, `validation`, or empty if its split is unknown.

    If an image has more than one row, its first row counts, as for labels and groups.
    """
    rows_from_last = zip(reversed(rows.paths), reversed(rows.columns[column]))
    return {path: side_of(text) or "" for path, text in rows_from_last}
