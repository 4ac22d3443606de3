"""Weights of images: how much each one counts in the training loss, from a column of the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.attributes import normal_text
from model.data.readers.rows import Rows
from model.errors import Problems
from model.settings.decode import finite_number

KIND = "invalid weight"


def read_weights(rows: Rows, column: str, kept: Sequence[int], problems: Problems) -> NDArray[np.float64]:
    """The weights of some rows, float64 (n,).

    Args:
        rows: The rows of a channel.
        column: The column of the weights.
        kept: The rows to read, in this order.
        problems: Collects each weight that is not a finite number of at least 0, with its row.
    """
    texts = rows.columns[column]
    weights = np.zeros(len(kept))
    for position, row in enumerate(kept):
        weight = finite_number(normal_text(texts[row]))
        if weight is None or weight < 0:
            problems.add(KIND, f"{rows.origins[row]}: {column} = {texts[row]!r}, expected a number of at least 0")
        else:
            weights[position] = weight
    return weights


def normalised(weights: NDArray[np.float64], labelled: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weights, (n,), with a mean of 1 over the images that have a label, bool (n,); all 0 if their sum is 0."""
    mean = weights[labelled].mean() if labelled.any() else 0.0
    return np.asarray(weights / mean if mean > 0 else np.zeros_like(weights), np.float32)
