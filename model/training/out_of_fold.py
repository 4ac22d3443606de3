"""Each row of a channel answered by the model that did not see it, as files that evaluation.py takes as they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from model.answers.write import Answers, write_answers
from model.artifacts.ensemble import PRODUCT, load, make_ensemble
from model.atomic_write import write_beside
from model.metrics.scores import NO_ANSWER, scores
from model.prediction.api import make_predictor
from model.runtime.hardware import worker_count
from model.runtime.signals import Stopped, StopSignal
from model.settings.train import TrainSettings
from model.training.plan import Plan

FOLDER = "out_of_fold"

log = logging.getLogger("rarebird")


def answer_out_of_fold(
    plan: Plan, models: Path, settings: TrainSettings, output: Path, stop: StopSignal
) -> dict[str, float]:
    """Writes gt.csv, output.csv, probabilities.csv and labels.json of the whole channel into output/out_of_fold.

    models: the folder with the trained members. Returns accuracy and macro F1. Stopped is raised between two batches
    where a signal came, and nothing is written then.
    """
    assert plan.folds is not None
    table, scheme = plan.table, plan.table.scheme
    probabilities = np.zeros((len(table), scheme.num_classes), np.float32)
    unreadable: dict[int, str] = {}
    for fold in range(settings.folds):
        rows = np.flatnonzero(plan.folds == fold)
        members = [load(models / run.place) for run in plan.runs if run.fold == fold]
        model = make_ensemble(models, members, [1.0] * len(members), PRODUCT)
        predictor = make_predictor(model, device=settings.device, precision=settings.precision)
        locations = table.locations.take(rows)
        workers = worker_count(settings.num_workers)
        for answers in stop.outlived(predictor.predict_table(table.root, locations, settings.batch_size, workers)):
            if stop.received is not None:
                raise Stopped
            probabilities[rows[answers.rows]] = answers.probabilities
            unreadable |= {int(rows[row]): reason for row, reason in answers.unreadable.items()}

    folder = output / FOLDER
    names = pd.DataFrame({"ImageID": table.locations.paths}, dtype="str")
    truth = names.assign(ans=table.classes(), fold=plan.folds + 1)
    if table.grouped_by:
        truth["group"] = table.groups
    with write_beside(folder / "gt.csv") as path:
        truth.to_csv(path, index=False)
    answered = np.array([row for row in range(len(table)) if row not in unreadable], np.int64)
    whole = Answers(answered, probabilities[answered], unreadable)
    write_answers(_one(whole), names, "ImageID", scheme.to_dict(), folder / "output.csv", folder / "probabilities.csv")

    given = probabilities.argmax(1)
    given[list(unreadable)] = NO_ANSWER
    found = scores(table.classes(), given, scheme.num_classes)
    log.info("out of fold accuracy=%.4f; f1=%.4f;", found["accuracy"], found["macro_f1"])
    log.info("with intervals: python evaluation.py --ground_truth_dir %s --output_data_dir %s", folder, folder)
    return {"accuracy": float(found["accuracy"]), "f1": float(found["macro_f1"])}


def _one(answers: Answers) -> Iterator[Answers]:
    yield answers
