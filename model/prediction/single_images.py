"""Predictions of single images as a table for a terminal."""

from __future__ import annotations

from pathlib import Path

from model.answers.predictions import TOP, terminal_rows
from model.data.prediction_input import PredictionInput
from model.labels import Scheme
from model.prediction.predictor import EnsemblePredictor
from model.runtime.terminal import text_table

UNREADABLE = "(unreadable)"


def predicted_table(
    predictor: EnsemblePredictor, scheme: Scheme, inputs: PredictionInput, batch_size: int, workers: int
) -> tuple[str, int]:
    """Predicts the images. Returns the table, with the reasons for unreadable images below it, and their number.

    Args:
        predictor: The model.
        scheme: Its labels.
        inputs: The images, with absolute paths.
        batch_size: Views per forward pass.
        workers: Number of processes that read images.
    """
    names = inputs.rows[inputs.name_column].tolist()
    header = ["picture", "predicted", "probability", *TOP[1 : scheme.num_classes]]
    rows: list[list[str]] = []
    reasons: list[str] = []
    for answers in predictor.predict_channel(Path("/"), inputs.locations, batch_size, workers):
        read = [names[row] for row in answers.rows]
        predicted = terminal_rows(read, answers.probabilities, scheme, predictor.decision, answers.numbers)
        batch = dict(zip(answers.rows.tolist(), predicted))
        for row, reason in answers.unreadable.items():
            batch[row] = [[names[row], UNREADABLE, *[""] * (len(header) - 2)]]
            reasons.append(f"{names[row]}: {reason}")
        rows += [line for row in sorted(batch) for line in batch[row]]
    table = text_table(header, rows, right=[2])
    return "\n".join([table, *(["", "unreadable:", *reasons] if reasons else [])]), len(reasons)
