"""The single images that the report shows: most confident mistakes, least confident predictions, and correct ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.evaluation.coverage import answer_confidence
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report.thumbnails import Thumbnail
from model.metrics.scores import NO_ANSWER

MISTAKES, UNSURE, RIGHT = 24, 12, 12


@dataclass(frozen=True)
class Example:
    """An image with its prediction.

    row: Its row in the matched predictions; truth, answer: true and predicted value of each attribute, and whether they
    differ; confidence: probability of the prediction; next: the second class and its probability.
    """

    row: int
    name: str
    truth: list[tuple[str, bool]]
    answer: list[tuple[str, bool]]
    confidence: float
    next: tuple[str, float] | None
    thumbnail: Thumbnail | None = None

    @property
    def is_right(self) -> bool:
        return not any(differs for _, differs in self.truth)


def gallery_rows(matched: MatchedAnswers) -> dict[str, list[int]]:
    """The rows of each gallery: mistakes, unsure, right. A row is in one gallery only and has every label."""
    complete, rows = matched.complete, np.flatnonzero(matched.has_all_labels)
    mistakes = surest_mistakes(complete)
    unsure = least_sure(complete, mistakes)
    galleries = {"mistakes": mistakes, "unsure": unsure, "right": surest_right(complete, [*mistakes, *unsure])}
    return {name: rows[own].tolist() for name, own in galleries.items()}


def surest_mistakes(matched: MatchedAnswers) -> list[int]:
    """Rows of the wrong predictions with the highest probabilities; empty without probabilities."""
    confidence = answer_confidence(matched)
    wrong = np.flatnonzero(~matched.correct & ~np.isnan(confidence))
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES].tolist()


def least_sure(matched: MatchedAnswers, left_out: Sequence[int]) -> list[int]:
    """Rows of the predictions with the smallest margin to the second class. left_out: Rows to skip."""
    if matched.probabilities is None or matched.scheme.num_classes < 2:
        return []
    top = np.partition(np.nan_to_num(matched.probabilities, nan=-1.0), -2, axis=1)[:, -2:]
    rows = np.setdiff1d(np.flatnonzero(~np.isnan(answer_confidence(matched))), left_out)
    margin = top[rows, 1] - top[rows, 0]
    return rows[np.argsort(margin, kind="stable")][:UNSURE].tolist()


def surest_right(matched: MatchedAnswers, left_out: Sequence[int]) -> list[int]:
    """Rows of correct predictions: the most confident of each class, then the next. left_out: Rows to skip."""
    confidence = answer_confidence(matched)
    rows = np.setdiff1d(np.flatnonzero(matched.correct & ~np.isnan(confidence)), left_out)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    # rank of each row within its class, the most confident first
    classes = matched.truth[rows]
    by_class = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[by_class], classes[by_class])
    rank = np.empty(len(rows), np.int64)
    rank[by_class] = np.arange(len(rows)) - starts
    return rows[np.argsort(rank, kind="stable")][:RIGHT].tolist()


def make_examples(rows: Sequence[int], matched: MatchedAnswers, small: Mapping[str, Thumbnail]) -> list[Example]:
    """The examples of some rows, with their thumbnails if there are any. small: Thumbnails by image name."""
    return [_example(row, matched, small) for row in rows]


def _example(row: int, matched: MatchedAnswers, small: Mapping[str, Thumbnail]) -> Example:
    scheme = matched.scheme
    truth, answer = (scheme.split(int(classes[row])) for classes in (matched.truth, matched.answers))
    values = {attribute.name: attribute.values for attribute in scheme.attributes}
    differs = {attribute: truth[attribute] != answer[attribute] for attribute in values}
    name, (first, *others) = matched.names[row], top_three(matched, row)
    return Example(
        row,
        name,
        [(values[attribute][truth[attribute]], differs[attribute]) for attribute in values],
        [(values[attribute][answer[attribute]], differs[attribute]) for attribute in values],
        first[1],
        (scheme.class_names[others[0][0]], others[0][1]) if others else None,
        small.get(name),
    )


def top_three(matched: MatchedAnswers, row: int) -> list[tuple[int, float]]:
    """The predicted class of an image and the next most probable ones, three in all, with their probabilities. Empty
    without a prediction or probabilities."""
    answer = int(matched.answers[row])
    if matched.probabilities is None or answer == NO_ANSWER or np.isnan(matched.probabilities[row]).any():
        return []
    probabilities = matched.probabilities[row]
    others = [int(code) for code in np.argsort(-probabilities, kind="stable")[:3] if code != answer][:2]
    return [(code, float(probabilities[code])) for code in (answer, *others)]
