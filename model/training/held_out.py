"""Predictions for images that were not used for training: here for the validation images, in training.out_of_fold for
every row of the channel. The files are those of inference.py, with the true labels for evaluation.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.answers.files import OUTPUT, PROBABILITIES, TRUTH
from model.answers.labels_json import HELD_OUT_KEY
from model.answers.read import ANSWER_COLUMNS, ANSWER_NAME, attribute_column
from model.answers.write import Answers, write_answers
from model.artifacts.ensemble import load, provenance_of
from model.artifacts.learned_numbers import number_names
from model.artifacts.provenance import PROVENANCE_KEY
from model.atomic_write import write_beside
from model.attributes import number_column
from model.data.readers.columns import GROUP_COLUMNS, LABEL_COLUMNS, PICTURE_COLUMNS
from model.data.table import Table
from model.decisions import Decision
from model.prediction.api import make_predictor
from model.runtime.signals import Stopped, StopSignal
from model.runtime.workers import worker_count
from model.settings.train import TrainSettings
from model.training.plan import Plan

VALIDATION = "validation"  # name of the folder, and of its images in labels.json
NAME_COLUMN = "ImageID"
KNOWN_COLUMNS = (*PICTURE_COLUMNS, *ANSWER_COLUMNS, *LABEL_COLUMNS, *GROUP_COLUMNS)


def answer_validation(
    plan: Plan,
    model: Path,
    settings: TrainSettings,
    folder: Path,
    probabilities: np.ndarray | None,
    stop: StopSignal,
) -> Table | None:
    """Writes the saved model's predictions for the validation images.

    Args:
        plan: A plan without folds.
        model: Folder of the saved model or ensemble.
        settings: Batch size, workers, device and precision.
        folder: The folder to write to.
        probabilities: Probabilities of the images from the saved weights, float32 (n, C); None to compute them.
        stop: Signals that end it early.

    Returns:
        The validation images; None if there are none.

    Raises:
        Stopped: If a signal arrived; nothing is written then.
    """
    if plan.validation is None:
        return None
    table, saved = replace(plan.validation, scheme=plan.table.scheme), load(model)
    # numbers are not among what training keeps of its validation
    if probabilities is None or number_names(saved):
        predictor = make_predictor(saved, device=settings.device, precision=settings.precision)
        workers = worker_count(settings.num_workers)
        batches = []
        for batch in stop.interruptible(
            predictor.predict_channel(
                table.root, table.locations, settings.batch_size, workers, metadata=table.metadata
            )
        ):
            if stop.received is not None:
                raise Stopped
            batches.append(batch)
        answers = Answers(
            np.concatenate([batch.rows for batch in batches]),
            np.concatenate([batch.probabilities for batch in batches]),
            {row: reason for batch in batches for row, reason in batch.unreadable.items()},
            numbers={
                name: np.concatenate([batch.numbers[name] for batch in batches]) for name in predictor.number_names
            },
        )
    else:
        answers = Answers(np.arange(len(table)), probabilities, {})
    labels = saved.labels() | {HELD_OUT_KEY: VALIDATION, PROVENANCE_KEY: provenance_of(saved, 1).to_dict()}
    write_held_out(folder, table, answers, labels, plan.decision)
    return table


def write_held_out(
    folder: Path,
    table: Table,
    answers: Answers,
    labels: Mapping[str, Any],
    decision: Decision,
    further: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes gt.csv with the true labels, and the files that inference.py writes.

    gt.csv contains the name of each image, its class as number and name, its group and its metadata, so evaluation.py
    can score groups and subgroups too. For an attribute whose number is estimated, it has the true one as
    ATTRIBUTE_number. If labels are missing, the class of these images is empty, and there is a column with the values
    of each attribute.

    Args:
        folder: The folder to write to.
        table: The images, with their true labels.
        answers: The predictions for all images.
        labels: Content of labels.json.
        decision: Rule that selects the class of each image.
        further: More columns of gt.csv by name, (n,).
    """
    # name and class of each image
    names = pd.DataFrame({NAME_COLUMN: table.locations.paths}, dtype="str")
    classes = table.classes()
    class_names = np.array([*table.scheme.class_names, ""], dtype=object)[classes]
    truth = names.assign(**{"ans": classes, ANSWER_NAME: class_names})
    # missing labels: no class, but a column for each attribute
    if (classes < 0).any():
        truth["ans"] = pd.Series(classes, dtype="Int64").where(classes >= 0)
        for attribute, codes in zip(table.scheme.attributes, table.codes().values(), strict=True):
            truth[attribute_column(attribute.name)] = np.array([*attribute.values, ""], dtype=object)[codes]
    # the numbers that are estimated, further columns, group and metadata; a metadata column whose name is taken gets a
    # prefix
    known = [name for name in answers.numbers if name in table.numbers]
    truth = truth.assign(**{number_column(name): table.numbers[name] for name in known}, **(further or {}))
    if table.grouped_by:
        truth["group"] = table.groups
    taken = {name.lower() for name in (*KNOWN_COLUMNS, *truth.columns)}
    for name in table.metadata:
        truth[f"metadata_{name}" if str(name).lower() in taken else name] = table.metadata[name]
    with write_beside(folder / TRUTH) as path:
        truth.to_csv(path, index=False)
    files = (folder / OUTPUT, folder / PROBABILITIES)
    write_answers([answers], names, NAME_COLUMN, labels, *files, decision, tuple(answers.numbers))
