"""Lists of pictures that the page opens from a cell or a row, each with its first pictures alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from model.evaluation.matching import MatchedAnswers
from model.evaluation.report.thumbnails import Thumbnail
from model.metrics.scores import NO_ANSWER

MOST_IN_LIST = 12


class PictureLists:
    """Lists by key. Wrong answers come surest first, right ones least sure first, in both the telling ones; where
    there are no probabilities, as the truth's table has them."""

    def __init__(self, joined: MatchedAnswers) -> None:
        self.names = joined.names
        self.confidence = answer_confidence(joined)  # float (n,), NaN where there is none
        self._lists: dict[str, dict[str, Any]] = {}

    def add(self, key: str, title: str, chosen: np.ndarray, wrong: bool) -> str:
        """Adds the pictures that chosen, bool (n,), marks; returns the key."""
        rows = np.flatnonzero(chosen)
        sure = self.confidence[rows]
        order = np.argsort(-sure if wrong else sure, kind="stable")  # NaN last
        self._lists[key] = {
            "title": title,
            "total": len(rows),
            "order": "" if np.isnan(sure).all() else "surest first" if wrong else "least sure first",
            "pictures": rows[order[:MOST_IN_LIST]].tolist(),
            "wrong": wrong,
        }
        return key

    def by_interest(self) -> Iterator[str]:
        """Names of the pictures listed: the first few of each list, mistakes and long lists before others, then the
        next few of each; some of them twice."""
        lists = sorted(self._lists.values(), key=lambda of: (not of["wrong"], -of["total"]))
        for start in range(0, MOST_IN_LIST, 4):
            for of in lists:
                yield from (self.names[row] for row in of["pictures"][start : start + 4])

    def content(self, thumbnails: dict[str, Thumbnail], on_page: set[str]) -> dict[str, Any]:
        """What the page's script reads. on_page: pictures whose thumbnails stand in the page already."""
        rows = sorted({row for of in self._lists.values() for row in of["pictures"]})
        return {
            "pictures": {
                row: [self.names[row], None if np.isnan(self.confidence[row]) else round(self.confidence[row], 3)]
                for row in rows
            },
            "lists": {key: [of["title"], of["total"], of["order"], of["pictures"]] for key, of in self._lists.items()},
            "thumbnails": {
                row: thumbnails[self.names[row]].uri
                for row in rows
                if self.names[row] in thumbnails and self.names[row] not in on_page
            },
        }


def answer_confidence(joined: MatchedAnswers) -> np.ndarray:
    """The probability that each picture's answer was given, float (n,); NaN where there is no answer or probability."""
    if joined.probabilities is None:
        return np.full(len(joined.names), np.nan)
    given = joined.probabilities[np.arange(len(joined.names)), joined.answers]
    return np.where(joined.answers == NO_ANSWER, np.nan, given)
