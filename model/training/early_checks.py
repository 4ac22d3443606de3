"""Checks of training settings that need no data: a wrong name is reported before any image is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from model.errors import InputError, listing
from model.images.pipeline import InputPipeline
from model.network.adapters import add_adapters
from model.network.backbone import backbone_name, make_backbone, make_preprocessing
from model.network.freezing import STAGES, freeze_stages
from model.network.layers import parameter_layers
from model.network.pooling import make_pooling
from model.settings.choices import NO_FUSION
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings
from model.training.augmentation import make_augmentation
from model.training.cleaning import clean_rule
from model.training.decision import post_hoc_tau
from model.training.features import check_feature_views
from model.training.losses import LossContext, make_loss
from model.training.mixing import MIXING
from model.training.optim import Schedule, make_optimiser
from model.training.separate import attribute_settings
from model.training.training_dynamics import check_dynamics
from model.weights.weights_file import check_weights

STEPS = 100  # optimiser steps of an epoch to make a schedule with, as the number of images is not known yet


def check_early(settings: TrainSettings) -> None:
    """Checks backbone and its parts, weights file, optimiser, schedule, losses, augmentation, mixing, tau of
    the decision and clean_args. With target separate, checks the settings of each attribute's model too.

    Args:
        settings: Settings of the training.

    Raises:
        InputError: Lists all problems.
    """
    problems = _problems(settings)
    try:
        clean_rule(settings)
    except InputError as error:
        problems.append(str(error))
    for name, own in settings.separate.items():
        try:
            own_settings = attribute_settings(settings, name, own)
        except InputError as error:
            problems.append(str(error))
            continue
        own_problems = _problems(own_settings, has_checked_weights=own_settings.weights == settings.weights)
        problems += [f"separate: {name}: {problem}" for problem in own_problems if problem not in problems]
    if problems:
        raise InputError("\n".join(problems))


def _problems(settings: TrainSettings, has_checked_weights: bool = False) -> list[str]:
    """The problems of one model's settings, without duplicates."""
    problems = []
    for check in _checks(settings, has_checked_weights):
        try:
            check()
        except InputError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def _checks(settings: TrainSettings, has_checked_weights: bool) -> Iterator[Callable[[], Any]]:
    yield lambda: backbone_name(settings.model)
    if settings.weights and not has_checked_weights:
        yield lambda: check_weights(Path(settings.weights or ""))
    yield lambda: _check_parts(settings)
    # the schedule is checked with the default optimiser, as the optimiser in the settings may be invalid
    yield lambda: make_optimiser(replace(settings, layer_decay=1.0), nn.Linear(1, 1))
    yield lambda: Schedule(settings, make_optimiser(TrainSettings(), nn.Linear(1, 1)), STEPS)
    yield lambda: _check_loss(settings, HeadSettings(loss=settings.loss, loss_args=settings.loss_args))
    for name in settings.heads:
        yield lambda name=name: _check_loss(settings, settings.head(name))  # type: ignore[misc]
    yield lambda: _check_tau(settings)
    yield from _augmentation_checks(settings)


def check_augmentation(settings: TrainSettings) -> None:
    """Checks the augmentation alone, and that the other settings allow it. Raises InputError for the first problem."""
    for check in _augmentation_checks(settings):
        check()


def _augmentation_checks(settings: TrainSettings) -> Iterator[Callable[[], Any]]:
    yield lambda: make_augmentation(settings.augmentation, _pipeline(settings), settings.seed)
    yield lambda: check_dynamics(settings)  # makes the mixing
    yield lambda: _check_mixed_metadata(settings)
    yield lambda: check_feature_views(settings)


def _check_parts(settings: TrainSettings) -> None:
    """Makes the backbone without weights if a setting needs parts that it may not have: layers for adapters, a feature
    map, stages, groups of layers."""
    stages = [part for part in settings.freeze if part.startswith(STAGES)]
    has_parts = settings.adapter != "none" or settings.pooling != "default"
    if not (has_parts or stages or settings.layer_decay != 1):
        return
    preprocessing = make_preprocessing(settings)
    backbone = make_backbone(settings.model, preprocessing, model_args=settings.model_args)
    add_adapters(settings, backbone, preprocessing)
    make_pooling(settings, backbone, preprocessing)
    for part in stages:
        freeze_stages(backbone, part)
    if settings.layer_decay != 1:
        parameter_layers(backbone, False, "layer_decay")


def _check_loss(settings: TrainSettings, head: HeadSettings) -> None:
    """Makes the loss of a head with two classes. Class weights are not checked, because they depend on the data."""
    counts, shares = np.ones(2, np.int64), np.full(2, 0.5)
    make_loss(LossContext(settings, replace(head, class_weights="none"), counts, shares))


def _check_tau(settings: TrainSettings) -> None:
    try:
        post_hoc_tau(settings)
    except InputError as error:
        raise InputError(f"decision_args: {error}") from None


def _check_mixed_metadata(settings: TrainSettings) -> None:
    """Raises InputError if images are mixed in pairs whose metadata cannot be mixed."""
    mixing = [name for name in settings.augmentation if name in MIXING]
    if settings.fusion != NO_FUSION and mixing:
        raise InputError(
            f"augmentation: {listing(mixing)} mixes two images and their labels, but not their metadata; remove it, or "
            f"set --fusion {NO_FUSION}"
        )


def _pipeline(settings: TrainSettings) -> InputPipeline:
    try:
        return InputPipeline(make_preprocessing(settings))
    except InputError:  # an unknown backbone, which another check reports
        return InputPipeline(make_preprocessing(replace(settings, model=TrainSettings().model)))
