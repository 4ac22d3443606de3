"""The single images that the report shows: the most confident mistakes, the least sure answers, and right ones."""

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
    """An image with its answer.

    row: its row of the matched answers; truth, answer: for each attribute the value, and whether truth and answer
    differ in it; confidence: probability of the answer; next: the class with the next probability, and that.
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
    """The rows of each gallery, no row in two of them: mistakes, unsure, right. All have every label."""
    complete, rows = matched.complete, np.flatnonzero(matched.has_all_labels)
    mistakes = surest_mistakes(complete)
    unsure = least_sure(complete, mistakes)
    galleries = {"mistakes": mistakes, "unsure": unsure, "right": surest_right(complete, [*mistakes, *unsure])}
    return {name: rows[own].tolist() for name, own in galleries.items()}


def surest_mistakes(matched: MatchedAnswers) -> list[int]:
    """Rows of the wrong answers with the highest probabilities; none where there are no probabilities."""
    confidence = answer_confidence(matched)
    wrong = np.flatnonzero(~matched.correct & ~np.isnan(confidence))
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES].tolist()


def least_sure(matched: MatchedAnswers, left_out: Sequence[int]) -> list[int]:
    """Rows of the answers with the smallest margin to the next class, right ones too. left_out: rows shown before."""
    if matched.probabilities is None or matched.scheme.num_classes < 2:
        return []
    top = np.partition(np.nan_to_num(matched.probabilities, nan=-1.0), -2, axis=1)[:, -2:]
    rows = np.setdiff1d(np.flatnonzero(~np.isnan(answer_confidence(matched))), left_out)
    margin = top[rows, 1] - top[rows, 0]
    return rows[np.argsort(margin, kind="stable")][:UNSURE].tolist()


def surest_right(matched: MatchedAnswers, left_out: Sequence[int]) -> list[int]:
    """Rows of right answers: the surest of each class, then the next of each. left_out: rows shown before."""
    confidence = answer_confidence(matched)
    rows = np.setdiff1d(np.flatnonzero(matched.correct & ~np.isnan(confidence)), left_out)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    # The place of each row among those of its class, the surest first
    classes = matched.truth[rows]
    by_class = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[by_class], classes[by_class])
    place = np.empty(len(rows), np.int64)
    place[by_class] = np.arange(len(rows)) - starts
    return rows[np.argsort(place, kind="stable")][:RIGHT].tolist()


def make_examples(rows: Sequence[int], matched: MatchedAnswers, small: Mapping[str, Thumbnail]) -> list[Example]:
    """The examples of some rows, each with its thumbnail where there is one."""
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
    """The answered class of an image and the most probable other ones, three in all, with their probabilities. Empty
    without an answer or probabilities."""
    answer = int(matched.answers[row])
    if matched.probabilities is None or answer == NO_ANSWER or np.isnan(matched.probabilities[row]).any():
        return []
    probabilities = matched.probabilities[row]
    others = [int(code) for code in np.argsort(-probabilities, kind="stable")[:3] if code != answer][:2]
    return [(code, float(probabilities[code])) for code in (answer, *others)]
