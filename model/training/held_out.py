"""Answers to images that a model did not learn from, in the files of an inference, which evaluation.py scores: those of
the validation images by the saved model, and, by training.out_of_fold, of a whole channel."""

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
from model.artifacts.provenance import PROVENANCE_KEY
from model.atomic_write import write_beside
from model.data.readers.columns import GROUP_COLUMNS, LABEL_COLUMNS, PICTURE_COLUMNS
from model.data.table import Table
from model.decisions import Decision
from model.prediction.api import make_predictor
from model.runtime.signals import Stopped, StopSignal
from model.runtime.workers import worker_count
from model.settings.train import TrainSettings
from model.training.plan import Plan

VALIDATION = "validation"  # folder, and what labels.json says of the answers in it
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
    """Writes the answers of the saved model to the validation images into folder.

    Args:
        plan: A plan without folds.
        model: Folder of the saved model or ensemble.
        settings: Batch size, workers, device and precision.
        folder: The folder to write into.
        probabilities: Of the images by the saved weights, float32 (n, C); None to predict them.
        stop: Signals that end it early.

    Returns:
        The validation images; None if there are none.

    Raises:
        Stopped: If a signal came. Nothing is written then.
    """
    if plan.validation is None:
        return None
    table, saved = replace(plan.validation, scheme=plan.table.scheme), load(model)
    if probabilities is None:
        predictor = make_predictor(saved, device=settings.device, precision=settings.precision)
        workers = worker_count(settings.num_workers)
        batches = []
        for batch in stop.interruptible(
            predictor.predict_channel(table.root, table.locations, settings.batch_size, workers)
        ):
            if stop.received is not None:
                raise Stopped
            batches.append(batch)
        answers = Answers(
            np.concatenate([batch.rows for batch in batches]),
            np.concatenate([batch.probabilities for batch in batches]),
            {row: reason for batch in batches for row, reason in batch.unreadable.items()},
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
    """Writes gt.csv, and beside it the files of an inference.

    gt.csv has the name of each image, its class as number and by name, its group and its metadata, so that
    evaluation.py scores by group and by metadata too. Where labels are missing, it also has each attribute's value by
    name, and the class of an image that lacks a label is empty.

    Args:
        folder: The folder to write into.
        table: The images, with their true labels.
        answers: To all of them.
        labels: Content of labels.json.
        decision: Decides the class of each image.
        further: More columns of gt.csv by name, (n,).
    """
    names = pd.DataFrame({NAME_COLUMN: table.locations.paths}, dtype="str")
    classes = table.classes()
    class_names = np.array([*table.scheme.class_names, ""], dtype=object)[classes]
    truth = names.assign(**{"ans": classes, ANSWER_NAME: class_names})
    if (classes < 0).any():
        truth["ans"] = pd.Series(classes, dtype="Int64").where(classes >= 0)
        for attribute, codes in zip(table.scheme.attributes, table.codes().values(), strict=True):
            truth[attribute_column(attribute.name)] = np.array([*attribute.values, ""], dtype=object)[codes]
    truth = truth.assign(**(further or {}))
    if table.grouped_by:
        truth["group"] = table.groups
    taken = {name.lower() for name in (*KNOWN_COLUMNS, *truth.columns)}
    for name in table.metadata:
        truth[f"metadata_{name}" if str(name).lower() in taken else name] = table.metadata[name]
    with write_beside(folder / TRUTH) as path:
        truth.to_csv(path, index=False)
    write_answers([answers], names, NAME_COLUMN, labels, folder / OUTPUT, folder / PROBABILITIES, decision)
