"""Rows of a channel with the same image: an error, or resolved by their labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from model.data.readers.rows import Rows
from model.errors import Problems, listing

log = logging.getLogger("rarebird")


def refuse_duplicates(rows: Rows, problems: Problems) -> Rows:
    """The first row of each image; every further row of an image is a problem."""
    first_rows: dict[str, int] = {}
    kept = []
    for row, path in enumerate(rows.paths):
        first = first_rows.setdefault(path, row)
        if first == row:
            kept.append(row)
        else:
            problems.add("duplicate image", f"{rows.origins[row]}: {path} is already in {rows.origins[first]}")
    return rows if len(kept) == len(rows.paths) else rows.take(kept)


def unambiguous_rows(paths: Sequence[str], labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows to keep if an image has more than one row, bool (n,); logs which are skipped.

    If the labels of an image's rows are equal, its first row is kept, otherwise none.

    Args:
        paths: The image of each row.
        labels: Classes by attribute, int64 (n,) each.
    """
    frame = pd.DataFrame({"path": list(paths), **{f"label {name}": codes for name, codes in labels.items()}})
    is_repeated = frame.duplicated(keep="first")
    differs = frame.path.isin(frame.path[~is_repeated][frame.path[~is_repeated].duplicated()])
    equal = is_repeated & ~differs
    if equal.any():
        count = "1 duplicate row" if equal.sum() == 1 else f"{equal.sum():,} duplicate rows"
        log.info("skipped %s with equal labels", count)
    if differs.any():
        images = frame.path[differs].unique()
        count = "1 image" if len(images) == 1 else f"{len(images):,} images"
        log.warning("skipped %s whose rows have different labels: %s", count, listing(images, 5))
    return ~(is_repeated | differs).to_numpy()
