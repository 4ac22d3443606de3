"""Checks of training settings that need no data: a wrong name is reported before any image is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from model.cleaning.agreement import AgreementRule
from model.errors import InputError
from model.images.pipeline import InputPipeline
from model.network.backbone import backbone_name, make_preprocessing
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings
from model.training.augmentation import make_augmentation
from model.training.features import check_feature_views
from model.training.losses import LossContext, make_loss
from model.training.mixing import make_mixing
from model.training.optim import Schedule, make_optimiser
from model.training.separate import attribute_settings
from model.weights.weights_file import check_weights

STEPS = 100  # optimiser steps of an epoch to make a schedule with, as the number of images is not known yet


def check_early(settings: TrainSettings) -> None:
    """Checks backbone, weights file, optimiser, schedule, losses, augmentation, mixing and clean_args. With
    target separate, checks the settings of each attribute's model too.

    Args:
        settings: Settings of the training.

    Raises:
        InputError: Lists all problems.
    """
    problems = _problems(settings)
    try:
        AgreementRule.of(settings.clean_args)
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
    # the schedule is checked with the default optimiser, as the optimiser in the settings may be invalid
    yield lambda: make_optimiser(settings, nn.Linear(1, 1))
    yield lambda: Schedule(settings, make_optimiser(TrainSettings(), nn.Linear(1, 1)), STEPS)
    yield lambda: _check_loss(settings, HeadSettings(loss=settings.loss, loss_args=settings.loss_args))
    for name in settings.heads:
        yield lambda name=name: _check_loss(settings, settings.head(name))  # type: ignore[misc]
    yield lambda: make_augmentation(settings.augmentation, _pipeline(settings), settings.seed)
    yield lambda: make_mixing(settings.augmentation)
    yield lambda: check_feature_views(settings)


def _check_loss(settings: TrainSettings, head: HeadSettings) -> None:
    """Makes the loss of a head with two classes. Class weights are not checked, because they depend on the data."""
    counts, shares = np.ones(2, np.int64), np.full(2, 0.5)
    make_loss(LossContext(settings, replace(head, class_weights="none"), counts, shares))


def _pipeline(settings: TrainSettings) -> InputPipeline:
    try:
        return InputPipeline(make_preprocessing(settings))
    except InputError:  # an unknown backbone, which another check reports
        return InputPipeline(make_preprocessing(replace(settings, model=TrainSettings().model)))
