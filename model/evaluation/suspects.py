"""Lists of single images for people: suspected label errors, and the images that two models answer differently."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.atomic_write import write_beside
from model.evaluation.coverage import answer_confidence
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme
from model.metrics.scores import NO_ANSWER

SUSPECTS, COMPARED = "suspects.csv", "compared.csv"  # beside report.html
SUSPECT_HEADER = ("image", "given", "predicted", "probability", "given_probability")
COMPARED_HEADER = ("image", "given", "these", "others", "right", "probability")
SPREADSHEET = "utf-8-sig"  # UTF-8 with the mark by which Excel recognises it


def suspected_label_errors(matched: MatchedAnswers) -> np.ndarray:
    """Rows of the images whose label may be wrong, int64 (k,), the most confident answer first.

    An answer other than the label is suspect where its probability is at least the mean of those that the class has on
    images of it (Northcutt, Jiang and Chuang 2021, "Confident Learning", JAIR 70, equation 2).
    """
    if matched.probabilities is None:
        return np.array([], np.int64)
    confidence = answer_confidence(matched)
    own = matched.probabilities[np.arange(len(matched.names)), matched.truth]  # of the label
    known = ~np.isnan(own)
    size = matched.scheme.num_classes
    counts = np.bincount(matched.truth[known], minlength=size)
    sums = np.bincount(matched.truth[known], weights=own[known], minlength=size)
    threshold = np.divide(sums, counts, out=np.full(size, np.inf), where=counts > 0)
    rows = np.flatnonzero(~matched.correct & ~np.isnan(confidence))
    rows = rows[confidence[rows] >= threshold[matched.answers[rows]]]
    return rows[np.argsort(-confidence[rows], kind="stable")]


@dataclass(frozen=True)
class Comparison:
    """How two models answer the same images: rows, int64, of those that only one answers right, the more confident
    answers first, and the number that both or neither answers right."""

    these: np.ndarray
    others: np.ndarray
    both: int
    neither: int


def compare_answers(matched: MatchedAnswers) -> Comparison | None:
    """None without the answers of another model."""
    if matched.other is None:
        return None
    right, other_right = matched.correct, matched.truth == matched.other
    confidence = np.nan_to_num(answer_confidence(matched), nan=-1.0)

    def ordered(chosen: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(chosen)
        return rows[np.argsort(-confidence[rows], kind="stable")]

    return Comparison(
        these=ordered(right & ~other_right),
        others=ordered(other_right & ~right),
        both=int((right & other_right).sum()),
        neither=int((~right & ~other_right).sum()),
    )


def write_lists(folder: Path, matched: MatchedAnswers) -> list[str]:
    """Writes suspects.csv and compared.csv into folder, each where it has rows; one of an earlier call is removed.
    Returns the names of those written."""
    matched = matched.complete
    confidence, names = answer_confidence(matched), matched.names
    suspects = [
        [names[row], *_classes(matched.scheme, matched.truth[row], matched.answers[row]), *_shares(matched, row)]
        for row in suspected_label_errors(matched)
    ]
    compared, comparison = [], compare_answers(matched)
    if comparison and matched.other is not None:
        for right, rows in (("these", comparison.these), ("others", comparison.others)):
            for row in rows:
                answers = _classes(matched.scheme, matched.truth[row], matched.answers[row], matched.other[row])
                share = "" if np.isnan(confidence[row]) else f"{confidence[row]:.4f}"
                compared.append([names[row], *answers, right, share])
    tables = ((SUSPECTS, SUSPECT_HEADER, suspects), (COMPARED, COMPARED_HEADER, compared))
    return [name for name, header, rows in tables if _write(folder / name, header, rows)]


def _classes(scheme: Scheme, *classes: int) -> list[str]:
    return ["" if code == NO_ANSWER else scheme.class_names[code] for code in classes]


def _shares(matched: MatchedAnswers, row: int) -> list[str]:
    assert matched.probabilities is not None
    probabilities = matched.probabilities[row]
    return [f"{probabilities[code]:.4f}" for code in (matched.answers[row], matched.truth[row])]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Writes a table; without rows it removes one that is there. Returns whether there are rows."""
    listed = list(rows)
    if not listed:
        path.unlink(missing_ok=True)
        return False
    with write_beside(path) as beside, open(beside, "w", encoding=SPREADSHEET, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *listed])
    return True
