"""Lists of images that open from a cell or a row of the report, limited to the first MOST_IN_LIST images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.evaluation.coverage import answer_confidence
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report.examples import top_three
from model.evaluation.report.thumbnails import Thumbnail

MOST_IN_LIST = 12
AT_A_TIME = 4  # images of each list that get thumbnails in one round


@dataclass(frozen=True)
class PictureList:
    """total: Number of images; rows: the first of them, as rows of the matched predictions."""

    title: str
    total: int
    order: str
    rows: list[int]
    wrong: bool


class PictureLists:
    """Lists of images by key.

    Wrong predictions are sorted by decreasing confidence and correct ones by increasing confidence, so that the
    informative ones come first. Without probabilities they are in the order of the true labels.
    """

    def __init__(self, matched: MatchedAnswers) -> None:
        self.matched, self.names = matched, matched.names
        self.confidence = answer_confidence(matched)  # float64 (n,), NaN without one
        self._lists: dict[str, PictureList] = {}

    def add(self, key: str, title: str, chosen: np.ndarray, wrong: bool) -> str:
        """Adds a list; returns its key.

        Args:
            key: Name of the list in the page.
            title: Its heading.
            chosen: bool (n,), which images are in it.
            wrong: Whether their predictions are wrong.
        """
        rows = np.flatnonzero(chosen)
        confidence = self.confidence[rows]
        sorting = np.argsort(-confidence if wrong else confidence, kind="stable")  # NaN last
        order = "" if np.isnan(confidence).all() else f"{'most' if wrong else 'least'} confident first"
        self._lists[key] = PictureList(title, len(rows), order, rows[sorting[:MOST_IN_LIST]].tolist(), wrong)
        return key

    def by_interest(self) -> Iterator[str]:
        """Names of the listed images, the most interesting first; a name may occur more than once.

        Each round yields the next AT_A_TIME images of every list; lists of wrong predictions and long lists come first.
        """
        lists = sorted(self._lists.values(), key=lambda pictures: (not pictures.wrong, -pictures.total))
        for start in range(0, MOST_IN_LIST, AT_A_TIME):
            for pictures in lists:
                yield from (self.names[row] for row in pictures.rows[start : start + AT_A_TIME])

    def content(self, thumbnails: dict[str, Thumbnail], shown: Sequence[int]) -> dict[str, Any]:
        """The data for report.js: class names, images, lists, and the thumbnails that are not elsewhere on the page.

        An image is its name, the probability of its prediction, its true class, and the most probable classes with
        their probabilities; classes are positions in the list of class names.

        Args:
            thumbnails: Thumbnails by image name.
            shown: Rows of the images that the page shows outside the lists.
        """
        rows = sorted({*shown, *(row for pictures in self._lists.values() for row in pictures.rows)})
        class_names = self.matched.scheme.class_names
        positions: dict[str, int] = {}  # of classes in the list of class names

        def position(name: str) -> int:
            return positions.setdefault(name, len(positions))

        pictures = {
            row: [
                self.names[row],
                None if np.isnan(self.confidence[row]) else round(self.confidence[row], 3),
                position(self.matched.true_name(row)),
                [[position(class_names[code]), round(share, 3)] for code, share in top_three(self.matched, row)],
            ]
            for row in rows
        }
        return {
            "classes": list(positions),
            "pictures": pictures,
            "lists": {
                key: [pictures.title, pictures.total, pictures.order, pictures.rows]
                for key, pictures in self._lists.items()
            },
            "thumbnails": {
                row: thumbnails[self.names[row]].uri
                for row in rows
                if self.names[row] in thumbnails and row not in shown
            },
        }
