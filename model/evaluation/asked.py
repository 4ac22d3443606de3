"""Answers with advice to ask a person: the share of wrong answers and of answered images, per predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from model.answers.files import ASK_PERSON, PREDICTIONS, beside_answers
from model.answers.predictions import NO, YES
from model.attributes import normal_text
from model.metrics.bootstrap import Interval
from model.metrics.proportions import share_intervals
from model.metrics.scores import NO_ANSWER


@dataclass(frozen=True)
class AskedScores:
    """Images that are predicted as one class, or all images with a prediction.

    Attributes:
        pictures: Number of images.
        answered: Number of them for which no person is asked.
        error_of_all: Share of wrong answers among all of them.
        error: Share of wrong answers among the answered ones; None if none is answered.
        coverage: Share of the images that is answered; None without images.
    """

    pictures: int
    answered: int
    error_of_all: Interval | None
    error: Interval | None
    coverage: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """The scores as in evaluation.json."""
        intervals = {"error_without": self.error_of_all, "error": self.error, "coverage": self.coverage}
        return {
            "pictures": self.pictures,
            "answered": self.answered,
            **{name: one.to_dict() if one else None for name, one in intervals.items()},
        }


@dataclass(frozen=True)
class Asked:
    """Scores of all images with a prediction, and of those of each predicted class by its name."""

    everything: AskedScores
    per_class: dict[str, AskedScores]

    def to_dict(self) -> dict[str, Any]:
        """The block `ask_person` of evaluation.json."""
        per_class = {name: scores.to_dict() for name, scores in self.per_class.items()}
        return {**self.everything.to_dict(), "per_class": per_class}


def asked_scores(
    class_names: Sequence[str],
    truth: NDArray[np.int64],
    answers: NDArray[np.int64],
    asked: NDArray[np.bool_],
    groups: NDArray[np.int64] | None,
    confidence: float,
) -> Asked:
    """Scores with intervals over groups. Classes that are never predicted are omitted.

    Args:
        class_names: Names of the C classes.
        truth: int64 (n,), true classes.
        answers: int64 (n,), predicted classes, -1 without a prediction.
        asked: bool (n,), whether to ask a person.
        groups: int64 (n,), 0 ... G - 1; None without groups.
        confidence: Level of the intervals; 0 for none.
    """
    predicted = np.flatnonzero(answers != NO_ANSWER)
    classes, columns = np.unique(answers[predicted], return_inverse=True)
    # a column for each predicted class, and one for all images
    shape = (len(truth), len(classes) + 1)
    cells = np.concatenate([predicted, predicted]), np.concatenate([columns, np.full(len(predicted), len(classes))])
    trials = sparse.csr_array((np.ones(2 * len(predicted)), cells), shape=shape)
    is_wrong, is_answered = (truth != answers).astype(float)[:, None], (~asked).astype(float)[:, None]
    wrong, answered = sparse.csr_array(trials.multiply(is_wrong)), sparse.csr_array(trials.multiply(is_answered))
    wrong_answered = sparse.csr_array(wrong.multiply(is_answered))
    pairs = ((wrong, trials), (wrong_answered, answered), (answered, trials))
    of_all, among_answered, coverage = (share_intervals(*pair, groups, confidence) for pair in pairs)
    scores = [
        AskedScores(
            int(count),
            int(own),
            of_all[at] if count else None,
            among_answered[at] if own else None,
            coverage[at] if count else None,
        )
        for at, (count, own) in enumerate(zip(trials.sum(axis=0), answered.sum(axis=0), strict=True))
    ]
    return Asked(scores[-1], {class_names[code]: scores[at] for at, code in enumerate(classes.tolist())})


def read_asked(answers_files: Sequence[Path], names: Sequence[str]) -> NDArray[np.bool_] | None:
    """Whether to ask a person about each image, bool (N,), from predictions.csv next to output.csv.

    Unreadable images are asked about. None if a file or its column ask_person is missing, or if an image is not in it.

    Args:
        answers_files: output.csv of each host.
        names: Names of the images as in output.csv.
    """
    advice: dict[str, str] = {}
    for answers_file in answers_files:
        path = beside_answers(answers_file, PREDICTIONS)
        if not path.is_file():
            return None
        try:
            frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
        except (ValueError, OSError):  # a file of another program
            return None
        if ASK_PERSON not in frame.columns or not frame[ASK_PERSON].isin((YES, NO, "")).all():
            return None
        advice.update(zip(frame.iloc[:, 0].map(normal_text), frame[ASK_PERSON]))
    if not advice.keys() >= set(names):
        return None
    return np.array([advice[name] != NO for name in names], bool)
