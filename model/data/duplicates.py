"""Rows of a channel that name the same image: an error, or resolved by their labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from model.data.readers.rows import Rows
from model.errors import Problems, listing

log = logging.getLogger("rarebird")


def refuse_duplicates(rows: Rows, problems: Problems) -> Rows:
    """The rows without those that name an image again; each of them is a problem."""
    first_rows: dict[str, int] = {}
    kept = []
    for row, path in enumerate(rows.paths):
        first = first_rows.setdefault(path, row)
        if first == row:
            kept.append(row)
        else:
            problems.add("duplicate image", f"{rows.origins[row]}: {path} is named in {rows.origins[first]} already")
    return rows if len(kept) == len(rows.paths) else rows.take(kept)


def unambiguous_rows(paths: Sequence[str], labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows remain if rows of one image are resolved, bool (n,); logs what is left out.

    Of rows with equal labels the first remains; of rows with different labels none does.

    Args:
        paths: The image of each row.
        labels: Classes by attribute, int64 (n,) each.
    """
    frame = pd.DataFrame({"path": list(paths), **{f"label {name}": codes for name, codes in labels.items()}})
    is_repeated = frame.duplicated(keep="first")
    differs = frame.path.isin(frame.path[~is_repeated][frame.path[~is_repeated].duplicated()])
    equal = is_repeated & ~differs
    if equal.any():
        log.info("rows left out that name an image again with the same labels: %s", f"{equal.sum():,}")
    if differs.any():
        images = frame.path[differs].unique()
        text = "images left out whose rows differ in the labels: %s (%s)"
        log.warning(text, f"{len(images):,}", listing(images, 5))
    return ~(is_repeated | differs).to_numpy()
