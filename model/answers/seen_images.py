"""Images that were used to train a model, among those that it predicts: learnt_from.csv next to the predictions, and
their number in labels.json."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from model.answers.files import LEARNT_FROM_CSV, beside_answers
from model.artifacts.learnt_from import SIDES, LearntFrom, read_learnt_from
from model.atomic_write import write_csv
from model.attributes import normal_text

if TYPE_CHECKING:
    from model.answers.write import Answers
    from model.artifacts.saved_model import SavedModel

log = logging.getLogger("rarebird")

LEARNT_FROM_KEY = "learnt_from"  # in labels.json and evaluation.json: number of images by side
SIDE_COLUMN = "side"


class SeenImages:
    """Finds images that were used to train one of the models.

    Args:
        models: The images that each of the models was trained with.

    Attributes:
        counts: Number of images by side, so far.
        rows: Side, as an index into SIDES, by row of the input.
    """

    def __init__(self, models: Sequence[LearntFrom]):
        self.models = models
        self.counts = dict.fromkeys(SIDES, 0)
        self.rows: dict[int, int] = {}

    @classmethod
    def of(cls, models: Iterable[SavedModel]) -> SeenImages | None:
        """For these saved models; None if the training images of one are not known."""
        known = [read_learnt_from(model.folder) for model in models]
        seen = [learnt_from for learnt_from in known if learnt_from is not None]
        return cls(seen) if len(seen) == len(known) else None

    def watch(self, answers: Iterable[Answers]) -> Iterator[Answers]:
        """Yields the predictions, which have the keys of their images, and counts the images that were used."""
        for batch in answers:
            assert batch.keys is not None
            sides = np.stack([learnt_from.sides(batch.keys) for learnt_from in self.models])
            for row, seen in zip(batch.rows.tolist(), sides.T.tolist()):
                own = [side for side in seen if side >= 0]
                if own:  # training counts before validation, if several models have used the image
                    self.add(row, min(own))
            yield batch

    def add(self, row: int, side: int) -> None:
        """Counts an image that was used to train a model. side: index into SIDES."""
        self.rows[row] = side
        self.counts[SIDES[side]] += 1

    def write(self, answers_file: Path, info: pd.DataFrame, name_column: str) -> None:
        """Writes learnt_from.csv and logs a warning if there are such images; otherwise removes an earlier file.

        Args:
            answers_file: The file of predictions.
            info: Rows and columns of the input, as text.
            name_column: Its column of image names.
        """
        path = beside_answers(answers_file, LEARNT_FROM_CSV)
        if not self.rows:
            path.unlink(missing_ok=True)
            return
        log.warning("%s", seen_text(self.counts, len(info)))
        names = info[name_column].tolist()
        with write_csv(path) as writer:
            writer.writerow([name_column, SIDE_COLUMN])
            writer.writerows([names[row], SIDES[self.rows[row]]] for row in sorted(self.rows))


def count_seen(answers: Mapping[Path, Any], names: Iterable[str]) -> dict[str, int] | None:
    """Number of images by side that were used to train the model; None if the predictions do not say.

    Args:
        answers: The content of labels.json by file of predictions, one per host.
        names: Names of the images, normalised by model.attributes.normal_text.
    """
    sides: dict[str, str] = {}
    for file, labels in answers.items():
        seen_file = beside_answers(file, LEARNT_FROM_CSV)
        try:
            counts = labels[LEARNT_FROM_KEY]
            if any(counts[side] for side in SIDES):
                with seen_file.open(encoding="utf-8", newline="") as rows:
                    _, *seen = csv.reader(rows)
                sides |= {normal_text(name): side for name, side in seen}
        except (OSError, ValueError, KeyError, TypeError):
            return None
    found = Counter(sides[name] for name in names if name in sides)
    return {side: found[side] for side in SIDES}


def seen_text(counts: Mapping[str, int], images: int) -> str:
    """`12 of 300 images were used to train the model: 10 for its weights, 2 to choose its best epoch`."""
    texts = {"train": "for its weights", "validation": "to choose its best epoch"}
    parts = [f"{counts[side]:,} {text}" for side, text in texts.items() if counts[side]]
    used, was = sum(counts.values()), "was" if sum(counts.values()) == 1 else "were"
    return f"{used:,} of {images:,} images {was} used to train the model: {', '.join(parts)}"
