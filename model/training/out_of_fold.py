"""Out-of-fold predictions: each row of the channel is predicted by a model that was not trained on it. The files are
those of inference.py, with the true labels for evaluation.py."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import numpy as np

from model.answers.files import OUT_OF_FOLD
from model.answers.labels_json import HELD_OUT_KEY
from model.answers.write import Answers
from model.artifacts.ensemble import PRODUCT, load, make_ensemble
from model.artifacts.provenance import PROVENANCE_KEY, MemberProvenance, Provenance
from model.artifacts.saved_model import load_model
from model.metrics.scores import NO_ANSWER
from model.network.number_bins import Numbers
from model.prediction.api import make_predictor
from model.runtime.signals import Stopped, StopSignal
from model.runtime.workers import worker_count
from model.settings.train import TrainSettings
from model.training.held_out import write_held_out
from model.training.plan import Plan
from model.training.validation import Validation

log = logging.getLogger("rarebird")


def answer_out_of_fold(
    plan: Plan, models: Path, settings: TrainSettings, output: Path, stop: StopSignal
) -> dict[str, float]:
    """Writes gt.csv, output.csv, probabilities.csv and labels.json for the whole channel to output/out_of_fold.

    Args:
        plan: A plan with folds.
        models: Folder of the trained models.
        settings: Batch size, workers, device and precision.
        output: Output folder of the run.
        stop: Signals that end it early.

    Returns:
        accuracy and f1 (macro F1; if the scheme is_large, the mean over the attributes).

    Raises:
        Stopped: If a signal arrived; nothing is written then.
    """
    assert plan.folds is not None
    table = plan.table
    answers = _answer_folds(plan, models, settings, stop)

    folder = output / OUT_OF_FOLD
    classes = table.classes()
    known = classes >= 0  # a row that lacks a label has no joint class to score
    provenance = _provenance(plan, models)
    labels = table.scheme.to_dict() | {HELD_OUT_KEY: OUT_OF_FOLD, PROVENANCE_KEY: provenance.to_dict()}
    write_held_out(folder, table, answers, labels, plan.decision, {"fold": plan.folds + 1})

    predicted = np.full(len(table), NO_ANSWER, np.int64)
    predicted[answers.rows] = plan.decision.classes(answers.probabilities)
    # scored like an epoch: for hierarchies with many combinations f1 is the mean over the attributes
    scored = Validation(table.take(np.flatnonzero(known)), np.empty((0, 0), np.float32), predicted[known], loss=0.0)
    accuracy, f1 = scored.metrics["acc"], scored.metrics["f1"]
    log.info("out of fold accuracy=%.4f; f1=%.4f;", accuracy, f1)
    quoted = shlex.quote(str(folder))
    log.info("scores with intervals: python evaluation.py --ground_truth_dir %s --output_data_dir %s", quoted, quoted)
    return {"accuracy": accuracy, "f1": f1}


def _provenance(plan: Plan, models: Path) -> Provenance:
    members = [(run.folder, load_model(models / run.folder)) for run in plan.runs]
    joined = "from the models that were not trained on the image"
    name = models.resolve().name
    return Provenance(
        name, 1, joined, tuple(MemberProvenance.of_run(path, model.settings, model.metrics) for path, model in members)
    )


def _answer_folds(plan: Plan, models: Path, settings: TrainSettings, stop: StopSignal) -> Answers:
    """The predictions for all rows of the channel."""
    assert plan.folds is not None
    table = plan.table
    probabilities = np.zeros((len(table), table.scheme.num_classes), np.float32)
    unreadable: dict[int, str] = {}
    numbers: Numbers = {}
    workers = worker_count(settings.num_workers)
    for fold in range(int(plan.folds.max()) + 1):
        # The models of a fold (with target separate one per attribute) predict the rows of this fold
        rows = np.flatnonzero(plan.folds == fold)
        members = [load(models / run.folder) for run in plan.runs if run.fold == fold]
        model = make_ensemble(models, members, [1.0] * len(members), PRODUCT, plan.decision)
        predictor = make_predictor(model, device=settings.device, precision=settings.precision)
        own = table.take(rows)
        for answers in stop.interruptible(
            predictor.predict_channel(own.root, own.locations, settings.batch_size, workers, metadata=own.metadata)
        ):
            if stop.received is not None:
                raise Stopped
            probabilities[rows[answers.rows]] = answers.probabilities
            for name, values in answers.numbers.items():
                numbers.setdefault(name, np.full(len(table), np.nan, np.float32))[rows[answers.rows]] = values
            unreadable |= {int(rows[row]): reason for row, reason in answers.unreadable.items()}
    readable = np.array([row for row in range(len(table)) if row not in unreadable], np.int64)
    own_numbers = {name: values[readable] for name, values in numbers.items()}
    return Answers(readable, probabilities[readable], unreadable, numbers=own_numbers)
