"""`fit`: trains one network by its settings. It needs no folders, signals or trackers, so jobs, benchmarks, searches
and notebooks all train with it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model.data.datasets import Datasets
from model.data.pixel_range import find_range, log_range
from model.data.pixel_statistics import normalised_by_data
from model.data.table import Table
from model.decisions import Decision
from model.errors import listing
from model.images.pipeline import InputPipeline
from model.labels import Scheme
from model.network.backbone import make_preprocessing
from model.network.heads import Heads, make_heads
from model.runtime import distributed
from model.runtime.hardware import Hardware, find_hardware
from model.runtime.seeding import mixed_seed, seed_all
from model.runtime.signals import StopSignal
from model.runtime.terminal import counted
from model.runtime.workers import worker_count
from model.settings.choices import METADATA_ONLY
from model.settings.fields import differences
from model.settings.nested import under_own_names
from model.settings.train import TrainSettings
from model.training.checkpoints import Checkpoints, State
from model.training.decision import trained_decision
from model.training.kept_epochs import KeptEpochs
from model.training.learned_numbers import learned_bins
from model.training.losses import loss_type
from model.training.metadata import log_vocabulary, make_vocabulary
from model.training.progress import Outcome
from model.training.tracking.base import Tracker
from model.training.trainer import TrainableModel, Trainer
from model.weights.initial_weights import make_network

log = logging.getLogger("rarebird")


def fit(
    settings: TrainSettings,
    datasets: Datasets,
    *,
    channel: Scheme | None = None,
    decision: Decision | None = None,
    hardware: Hardware | None = None,
    checkpoints: Checkpoints | None = None,
    stop: StopSignal | None = None,
    tracker: Tracker | None = None,
    state: State | None = None,
    epochs_dir: Path | None = None,
) -> Outcome:
    """Trains a network.

    Args:
        settings: Settings of the training.
        datasets: Training images, and validation images if there are any, with the labels of the target.
        channel: Label scheme of the channel, if the target is only a part of it.
        decision: Rule that selects the class from probabilities. Default: the settings `decision` and `decision_args`.
        hardware: Where to train. Default: the settings `device` and `precision`.
        checkpoints: Where to write checkpoints; None to write none.
        stop: Signals that end training early.
        tracker: Receives the metrics of the run.
        state: Checkpoint to resume from. For one of a finished run, its outcome is returned without training.
        epochs_dir: Where `keep_epochs` keeps the weights of the last epochs; None to keep none.

    Returns:
        The best weights by best_criterion, with everything that is saved with them.

    Raises:
        InputError: If a setting is invalid for the data or the network.
        Failure: If the loss is not finite, or an image can no longer be read.
    """
    settings = _with_pixel_range(settings, datasets)
    if state is not None and state["finished"]:
        settings, heads = _named_heads(settings, datasets, channel)
        decision = decision or trained_decision(settings, datasets.train)
        return Outcome.from_state(state, settings, heads, _pipeline(settings, datasets.train), decision)
    trainer = make_trainer(
        settings,
        datasets,
        channel=channel,
        decision=decision,
        hardware=hardware,
        checkpoints=checkpoints,
        stop=stop,
        tracker=tracker,
    )
    if distributed.rank() == 0:
        _log_training(trainer, datasets.summary())
        if epochs_dir is not None and trainer.settings.keep_epochs:
            parts = (trainer.settings, trainer.heads, trainer.pipeline, trainer.decision)
            outcome = Outcome(*parts, {}, trainer.progress)
            trainer.kept_epochs = KeptEpochs(epochs_dir, outcome, datasets, trainer.hardware)
    return trainer.train(state)


def make_trainer(
    settings: TrainSettings,
    datasets: Datasets,
    *,
    channel: Scheme | None = None,
    decision: Decision | None = None,
    hardware: Hardware | None = None,
    checkpoints: Checkpoints | None = None,
    stop: StopSignal | None = None,
    tracker: Tracker | None = None,
) -> Trainer:
    """Makes a network and its trainer. The arguments are those of fit."""
    settings, heads = _named_heads(settings, datasets, channel)
    pipeline = _pipeline(settings, datasets.train)
    decision = decision or trained_decision(settings, datasets.train)
    seed_all(mixed_seed(settings.seed, 0))
    network = make_network(settings, heads, pipeline.preprocessing, pipeline.vocabulary)
    model = TrainableModel(network, heads, pipeline, decision)
    hardware = hardware or find_hardware(settings.device, settings.precision, settings.channels_last)
    return Trainer(settings, datasets, model, hardware, checkpoints, stop or StopSignal(), tracker or Tracker())


def _named_heads(settings: TrainSettings, datasets: Datasets, channel: Scheme | None) -> tuple[TrainSettings, Heads]:
    """The settings with the names in `heads` replaced by the attributes' own, and the heads of the network."""
    scheme = datasets.train.scheme
    settings = replace(settings, heads=under_own_names("heads", settings.heads, scheme.names))

    def outputs_of(head: str, classes: int) -> int:
        return loss_type(settings.head(head).loss).outputs(classes)

    bins = learned_bins(settings, datasets.train, channel)
    return settings, make_heads(scheme, settings.target, outputs_of, settings.num_classes, channel, bins)


def _with_pixel_range(settings: TrainSettings, datasets: Datasets) -> TrainSettings:
    """The settings with `pixel_range`. If it is not set, it is the range of values in the training images."""
    pixel_range = find_range(datasets.train)
    if pixel_range is not None and not settings.pixel_range:
        settings = replace(settings, pixel_range=list(pixel_range))
    if settings.pixel_range and distributed.rank() == 0:
        log_range(datasets.train, (settings.pixel_range[0], settings.pixel_range[1]))
    return settings


def _pipeline(settings: TrainSettings, train: Table) -> InputPipeline:
    """The input pipeline. train: the training images, which `--normalisation dataset` measures and whose metadata
    defines the vocabulary."""
    preprocessing = make_preprocessing(settings)
    if settings.normalisation == "dataset":
        preprocessing = normalised_by_data(preprocessing, train, settings.seed, worker_count(settings.num_workers))
    return InputPipeline(preprocessing, make_vocabulary(settings, train))


def _log_training(trainer: Trainer, data: dict[str, Any]) -> None:
    """Logs what is trained: settings that differ from their defaults, data, network, steps, and warnings.

    Args:
        trainer: The trainer.
        data: `Datasets.summary()`.
    """
    settings = trainer.settings
    chosen = ", ".join(f"{name}={value}" for name, value in differences(settings).items())
    log.info("settings that differ from their defaults: %s", chosen or "none")
    for side in ("train", "validation"):
        if data[side]:
            by = f" of {data[side]['groups']:,} groups by {data['grouped_by']}" if data["grouped_by"] else ""
            log.info("%s: %s images%s", side, f"{data[side]['pictures']:,}", by)
    heads, preprocessing = trainer.heads, trainer.pipeline.preprocessing
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters()) / 1e6
    if trainer.pipeline.vocabulary:
        log_vocabulary(trainer.pipeline.vocabulary, settings.metadata_min_count)
    network = "metadata without a backbone" if settings.fusion == METADATA_ONLY else settings.model
    log.info(
        f"{network}: {parameters:.1f} M parameters, {preprocessing.height}x{preprocessing.width} pixels, "
        f"{heads.scheme.num_classes} classes in {counted(len(heads.heads), 'head')}"
    )
    log.info(
        f"{counted(settings.epochs, 'epoch')} of {counted(trainer.sampler.steps, 'batch')} of {settings.batch_size}, "
        f"{counted(trainer.accumulation.optimiser_steps, 'optimiser step')} each; "
        f"{trainer.hardware}{f', {trainer.world} processes' if trainer.world > 1 else ''}"
    )
    for warning in trainer.criterion.warnings:
        log.warning("%s", warning)
    if settings.best_criterion == "gmean" and trainer.validator is not None:
        _log_missing_classes(trainer.validator.table)
    if trainer.validator is None and (settings.early_stopping or settings.scheduler == "ReduceLROnPlateau"):
        log.warning("early_stopping and ReduceLROnPlateau have no effect, because there are no validation images")


def _log_missing_classes(validation: Table) -> None:
    """Logs which classes the geometric mean does not include, because no validation image has them."""
    names = validation.scheme.class_names
    missing = np.setdiff1d(np.arange(len(names)), validation.classes())
    if len(missing):
        log.warning(
            "best_criterion gmean is computed over %s of %s classes; there is no validation image of %s",
            f"{len(names) - len(missing):,}",
            f"{len(names):,}",
            listing(names[number] for number in missing),
        )
