"""Lists of single images for review: suspected label errors, and images that two models predict differently."""

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
from model.metrics.confident import class_thresholds, self_confidence
from model.metrics.scores import NO_ANSWER

SUSPECTS, COMPARED = "suspects.csv", "compared.csv"  # next to report.html
SUSPECT_HEADER = ("image", "given", "predicted", "probability", "given_probability")
COMPARED_HEADER = ("image", "given", "these", "others", "right", "probability")
SPREADSHEET = "utf-8-sig"  # UTF-8 with the mark by which Excel recognises it


def suspected_label_errors(matched: MatchedAnswers) -> np.ndarray:
    """Rows of the images whose label may be wrong, int64 (k,), the most confident prediction first.

    A prediction other than the label is suspect if its probability is at least the mean probability of that class over
    the images labelled with it (Northcutt, Jiang and Chuang 2021, "Confident Learning", JAIR 70, equation 2).
    """
    if matched.probabilities is None:
        return np.array([], np.int64)
    confidence = answer_confidence(matched)
    own = self_confidence(matched.probabilities, matched.truth)
    known = ~np.isnan(own)
    threshold = class_thresholds(own[known], matched.truth[known], matched.scheme.num_classes)
    rows = np.flatnonzero(~matched.correct & ~np.isnan(confidence))
    rows = rows[confidence[rows] >= threshold[matched.answers[rows]]]
    return rows[np.argsort(-confidence[rows], kind="stable")]


@dataclass(frozen=True)
class Comparison:
    """Predictions of two models for the same images.

    these, others: int64, rows of the images that only this model has correct, the most confident predictions first.
    both, neither: Number of images that both models or none of them has correct.
    """

    these: np.ndarray
    others: np.ndarray
    both: int
    neither: int


def compare_answers(matched: MatchedAnswers) -> Comparison | None:
    """Compares two models image by image; None without the predictions of another model."""
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
    """Writes suspects.csv and compared.csv into folder, each only if it has rows; otherwise removes an earlier file.

    Returns:
        Names of the files that were written.
    """
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
    """Writes a table, or removes an earlier file if there are no rows. Returns whether there are rows."""
    all_rows = list(rows)
    if not all_rows:
        path.unlink(missing_ok=True)
        return False
    with write_beside(path) as beside, open(beside, "w", encoding=SPREADSHEET, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *all_rows])
    return True
