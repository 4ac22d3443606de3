"""Trains the folds of an experiment file on a channel, for out-of-fold predictions of all its images."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import Failure, InputError
from model.settings.aliases import TRAIN_PY, translate
from model.settings.channel import ReadingSettings
from model.settings.experiment_file import read_experiment
from model.settings.fields import Layer, as_dict, build, canonical
from model.settings.train import TrainSettings

if TYPE_CHECKING:
    from model.runtime.hardware import Hardware
    from model.runtime.signals import StopSignal
    from model.training.plan import Plan, Run
    from model.training.resume import Claim

FOLDS = 5  # without a setting
READING = tuple(field.name for field in fields(ReadingSettings))
# Settings that a training and the command share beside those of models and embeddings, which have the same names but
# another meaning
SHARED = (*READING, "num_classes", "max_pixels", "seed", "device", "precision")

log = logging.getLogger("rarebird")


def read_translated(path: Path) -> dict[str, Any]:
    """The settings in an experiment file of train.py by their canonical names, unchecked, without aliases.

    Raises:
        InputError: The file is missing or does not contain settings by name, or an alias has no counterpart.
    """
    values, sentences = translate(TRAIN_PY, f"config {path}: {{}}", read_experiment(path))
    for sentence in sentences:
        log.info("%s", sentence)
    return {canonical(name): value for name, value in values.items()}


def shared_settings(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of an experiment that also hold for the command: how the channel is read, and SHARED."""
    return {name: value for name, value in experiment.items() if name in SHARED}


def fold_settings(config: Path, experiment: Mapping[str, Any], overriding: Mapping[str, Any]) -> TrainSettings:
    """The settings of the training: those of the experiment, overridden.

    Labels are judged as they are, so `clean` is not used. Unreadable images are skipped, as by the command itself.

    Args:
        config: Path of the experiment file, for messages.
        experiment: Its content, from read_translated.
        overriding: Settings by name, from flags of this command.

    Raises:
        InputError: Lists all invalid settings.
    """
    own: dict[str, Any] = {"report": False, "tracking": "none", "name": "folds", "resume": "auto"}
    own |= {"unreadable": "skip", "clean": None, "clean_args": {}}
    layers = [Layer("default {}", {"folds": FOLDS}), Layer(f"config {config}: {{}}", experiment)]
    settings = build(TrainSettings, [*layers, Layer("{}", own), Layer("--{}", overriding)])
    if settings.folds < 2:
        raise InputError(f"config {config}: folds {settings.folds}, expected at least 2; set --folds {FOLDS}")
    return settings


def predict_out_of_fold(settings: TrainSettings, channel: Path, work: Path) -> Path:
    """Trains the folds, or resumes them, and predicts each image by the model that was not trained on it.

    The same settings and images have the same name: a finished training is used again, an interrupted one is resumed.

    Args:
        settings: Settings of the training, with `folds`.
        channel: Folder of the labelled images.
        work: Folder of the models, checkpoints and predictions.

    Returns:
        The folder out_of_fold.

    Raises:
        InputError: Invalid settings or images.
        Failure: Stopped by SIGTERM.
        KeyboardInterrupt: Ctrl-C. In both cases there is a checkpoint.
    """
    from model.answers.files import OUT_OF_FOLD, PROBABILITIES
    from model.data.checked_tables import read_tables
    from model.images.decode import allow_pixels
    from model.runtime.hardware import find_hardware
    from model.runtime.signals import StopSignal
    from model.training.early_checks import check_early
    from model.training.plan import make_plan
    from model.training.resume import RunLocation, claim

    check_early(settings)
    hardware = find_hardware(settings.device, settings.precision, settings.channels_last, 0)
    allow_pixels(settings.max_pixels)
    plan = make_plan(settings, *read_tables(settings, channel, None, work / ".checked"))
    identity = {**as_dict(settings, only_result=True), **plan.identity()}
    digest = hashlib.blake2b(json.dumps(identity, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()
    settings = replace(settings, name=f"folds-{digest}")
    predictions = work / settings.name / OUT_OF_FOLD
    if (predictions / PROBABILITIES).is_file():
        log.info("out-of-fold predictions of an earlier training: %s", predictions)
        return predictions
    claimed = claim(settings.name, RunLocation(work, work / ".checkpoints"), identity, settings.resume)
    with claimed.lock, StopSignal() as stop:
        _train(settings, plan, claimed, hardware, stop)
    return claimed.run_dir / OUT_OF_FOLD


def _train(settings: TrainSettings, plan: Plan, claimed: Claim, hardware: Hardware, stop: StopSignal) -> None:
    import signal

    from model.training.ensembles import save_ensembles

    claimed.checkpoints.begin()
    stopped_by = None
    for run in plan.runs:
        stopped_by = _train_one(run, settings, plan, claimed, hardware, stop)
        if stopped_by is not None:
            break
    if stopped_by is None:
        stopped_by = save_ensembles(plan, claimed.run_dir, settings, claimed.run_dir, stop, None)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if stopped_by is not None:
        raise Failure("stopped by a signal; the same command resumes the folds from the checkpoint")
    claimed.checkpoints.finish({})


def _train_one(
    run: Run, settings: TrainSettings, plan: Plan, claimed: Claim, hardware: Hardware, stop: StopSignal
) -> int | None:
    """Trains and saves the model of one fold, unless it is finished. Returns the signal that stopped it, or None."""
    from model.artifacts.discovery import is_finished
    from model.artifacts.learnt_from import LearntFrom
    from model.artifacts.saved_model import save_model
    from model.training.fit import fit
    from model.training.run_metrics import run_metrics
    from model.training.tracking.console import make_console

    log.info("\n%s of %s", run.folder, claimed.name)
    folder, checkpoints = claimed.run_dir / run.folder, claimed.checkpoints.member(run.folder)
    state = checkpoints.newest()
    if state is not None and state["finished"] and is_finished(folder):
        log.info("already finished")
        return None
    outcome = fit(
        replace(run.settings, name=settings.name),
        run.datasets,
        channel=plan.channel,
        hardware=hardware,
        checkpoints=checkpoints,
        stop=stop,
        tracker=make_console(settings.epochs),
        state=state,
    )
    if outcome.stopped_by is not None:
        return outcome.stopped_by
    metrics = run_metrics(outcome, run.datasets.summary(), hardware)
    weights = {name: value.numpy() for name, value in outcome.weights.items()}
    parts = (outcome.settings, outcome.heads, outcome.pipeline, metrics, outcome.decision)
    save_model(folder, weights, *parts, learnt_from=LearntFrom.of(run.datasets))
    checkpoints.finish(outcome.to_state())
    return None
