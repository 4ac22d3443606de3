"""Predicts an input in one go or part by part. A later run reuses finished parts; all parts are joined at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.answers.files import MANIFEST
from model.answers.joined_parts import join_parts
from model.answers.parts import EarlierParts, FinishedPart, PartKey, copy_part, write_part
from model.answers.seen_images import LEARNT_FROM_KEY, SeenImages
from model.answers.write import Answers, write_answers
from model.data.input_parts import InputPart, content_digest
from model.data.prediction_input import PredictionInput
from model.errors import Failure
from model.prediction.predictor import EnsemblePredictor
from model.settings.inference import InferenceSettings

log = logging.getLogger("rarebird")


def answer_settings(settings: InferenceSettings, max_pixels: int, predictor: EnsemblePredictor) -> dict[str, str | int]:
    """The settings that change predictions; a finished part with other values is not reused."""
    chosen: dict[str, str | int] = {"num_tta": settings.num_tta, "max_pixels": max_pixels}
    if settings.num_tta > 1:
        chosen["tta_mode"] = settings.tta_mode
        if settings.tta_mode == "vote":
            chosen["seed"] = settings.seed
    return {**chosen, "precision": " ".join(sorted({backend.precision for backend in predictor.backends}))}


@dataclass(frozen=True)
class ChannelPrediction:
    """Predicts the rows of one host and writes the predictions.

    Attributes:
        predictor: Predicts them.
        root: Folder of the channel.
        inputs: The rows.
        draws: int64 (N,), seeds of the rows' random views.
        parts: The parts, which contain each row once; empty if the rows are predicted in one go.
        folder: Folder of the finished parts.
        model: Fingerprint of the model.
        settings: Settings that change predictions, by name.
        labels: Content of labels.json.
        seen: The images that the model was trained on; None if they are not known.
    """

    predictor: EnsemblePredictor
    root: Path
    inputs: PredictionInput
    draws: NDArray[np.int64]
    parts: Sequence[InputPart]
    folder: Path
    model: str
    settings: Mapping[str, Any]
    labels: dict[str, Any]
    seen: SeenImages | None

    def write(self, answers_file: Path, probabilities_file: Path, batch_size: int, workers: int) -> int:
        """Predicts all rows in one go and writes the files.

        Args:
            answers_file: Path of output.csv.
            probabilities_file: Path of probabilities.csv.
            batch_size: Views in a forward pass.
            workers: Processes or threads that decode.

        Returns:
            Number of images without a prediction.
        """
        answers = self.predictor.predict_channel(
            self.root,
            self.inputs.locations,
            batch_size,
            workers,
            with_keys=bool(self.seen),
            draws=self.draws,
            metadata=self.inputs.metadata,
        )
        labels = dict(self.labels)
        if self.seen:
            answers, labels[LEARNT_FROM_KEY] = self.seen.watch(answers), self.seen.counts
        unread = self._write(answers, labels, (answers_file, probabilities_file))
        if self.seen:
            self.seen.write(answers_file, self.inputs.rows, self.inputs.name_column)
        return unread

    def _write(self, answers: Iterable[Answers], labels: Mapping[str, Any], files: tuple[Path, Path]) -> int:
        inputs, predictor = self.inputs, self.predictor
        return write_answers(
            answers, inputs.rows, inputs.name_column, labels, *files, predictor.decision, predictor.number_names
        )

    def warn_of_parts(self) -> None:
        """Warns if there are finished parts, which are not reused because all rows are predicted in one go."""
        if any(self.folder.glob(f"*/{MANIFEST}")):
            log.warning(
                "%s: the finished parts of an earlier run are not used; to reuse them, set part_size to the value that "
                "it had in that run",
                self.folder,
            )

    def predict_parts(
        self, parts: Sequence[InputPart], resume_from: Sequence[Path], batch_size: int, workers: int
    ) -> int:
        """Predicts parts, except those that an earlier run has finished.

        Args:
            parts: The parts of this process.
            resume_from: Folders with parts of earlier runs, in addition to `folder`.
            batch_size: Views in a forward pass.
            workers: Processes or threads that decode.

        Returns:
            Number of parts that were finished before.
        """
        earlier = EarlierParts([self.folder, *resume_from], self.model, self.settings)
        earlier.warn_of_others()
        finished: list[FinishedPart] = []
        taken_over = 0
        try:
            for number, part in enumerate(parts, 1):
                started = time.monotonic()
                key = self._key(part)
                folder = self.folder / part.name
                # reuse the part if an earlier run has finished it
                reused = earlier.find(key.content) if earlier else None
                if reused is not None and reused.folder != folder:
                    reused = copy_part(reused, folder)
                if reused is not None:
                    taken_over += 1
                    finished.append(reused)
                    continue
                # otherwise predict it
                finished.append(self._predict_part(part, key, folder, batch_size, workers))
                seconds = time.monotonic() - started
                log.info(
                    "part %d of %d, %s: %s images in %.1f s",
                    *(number, len(parts), part.name, f"{len(part.rows):,}", seconds),
                )
        except BaseException:
            if finished:
                log.info("%d of %d parts are finished and kept in %s", len(finished), len(parts), self.folder)
            raise
        return taken_over

    def join(self, answers_file: Path, probabilities_file: Path) -> int:
        """Joins all parts into output.csv and probabilities.csv. Returns the number of images without a prediction."""
        files = answers_file, probabilities_file
        parts = [(part.rows, self._finished(part)) for part in self.parts]
        if parts:
            unread = join_parts(parts, self.inputs, self.labels, *files, self.seen)
        else:
            unread = self._write([], self.labels | ({LEARNT_FROM_KEY: self.seen.counts} if self.seen else {}), files)
        if self.seen:
            self.seen.write(answers_file, self.inputs.rows, self.inputs.name_column)
        return unread

    def _key(self, part: InputPart) -> PartKey:
        is_random = any(not predictor.views.fixed for predictor in self.predictor.predictors)
        draws = self.draws[part.rows] if is_random else None
        return PartKey(self.model, self.settings, content_digest(self.root, self.inputs.take(part.rows), draws))

    def _predict_part(self, part: InputPart, key: PartKey, folder: Path, batch_size: int, workers: int) -> FinishedPart:
        inputs = self.inputs.take(part.rows)
        seen = SeenImages(self.seen.models) if self.seen else None
        answers = self.predictor.predict_channel(
            self.root,
            inputs.locations,
            batch_size,
            workers,
            with_keys=bool(seen),
            draws=self.draws[part.rows],
            metadata=inputs.metadata,
        )
        numbers = self.predictor.number_names
        return write_part(folder, key, answers, inputs, self.labels, self.predictor.decision, seen, numbers)

    def _finished(self, part: InputPart) -> FinishedPart:
        """Reads a finished part, of this process or of another one of this job."""
        finished = FinishedPart.read(self.folder / part.name)
        if finished is None or (finished.key.model, finished.key.settings) != (self.model, self.settings):
            raise Failure(
                f"{self.folder / part.name}: not a part of this run; does another job write to the same folder?"
            )
        return finished
