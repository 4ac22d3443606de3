"""The order of suspects: a cap per class first, so that a rare class is never emptied, then the scores."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.cleaning.suspects import Suspect

SHARE = 0.2  # of a class's images or groups that may be suspects
KEPT = 100  # images or groups of a class; while so many are not suspects, SHARE does not limit the others


def within_cap(
    scores: NDArray[np.float64], codes: NDArray[np.int64], share: float = SHARE, kept: int = KEPT
) -> NDArray[np.bool_]:
    """Which units may be suspects: those with the highest scores of their class, at most a share of it.

    The cap is for rare classes: in a class of n units, the largest of share * n, n - kept and 1 may be suspects, but
    not the only unit of a class (unless kept is 0), and only n - kept if share is 0.

    Args:
        scores: float64 (n,), of each unit (image or group).
        codes: int64 (n,), the given class of each unit.
        share: Share of the class.
        kept: Number of units of the class that are never suspects, unless `share` allows more.

    Returns:
        bool (n,).
    """
    allowed = np.zeros(len(scores), bool)
    counts = np.bincount(codes, minlength=1)
    order = np.lexsort((np.arange(len(scores)), -scores, codes))
    starts = np.cumsum(counts) - counts
    for code in np.flatnonzero(counts):
        count = int(counts[code])
        # at least one, otherwise a channel of many small classes would have no suspects
        least = min(1, count - 1) if share > 0 else 0
        limit = max(int(share * count + 1e-9), count - kept, least)
        allowed[order[starts[code] : starts[code] + limit]] = True
    return allowed


def ranked(suspects: Iterable[Suspect], most: int) -> list[Suspect]:
    """The suspects by decreasing score, all attributes together, one entry per rows and attribute.

    Args:
        suspects: The suspects; of two with the same first row and attribute, that with the higher score is kept.
        most: Maximum number; 0: all.
    """
    best: dict[tuple[int, str], Suspect] = {}
    for suspect in suspects:
        key = (suspect.rows[0], suspect.attribute)
        if key not in best or best[key].score < suspect.score:
            best[key] = suspect
    # rounded, so that the two images of an exchange, which have one score, stay next to each other
    order = sorted(best.values(), key=lambda one: (-round(one.score, 9), one.rows[0], one.attribute))
    return order[:most] if most else order
