"""Warnings about class priors that are corrected more than once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import nn

from model.settings import choices
from model.settings.fields import Layer, build
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings
from model.training.losses import LOSSES, LossContext, LossType
from model.training.prior_correction import double_correction, post_hoc_correction


def context(
    loss: str, kind: str = "inverse", strength: float = 0.25, sampler: float = 0.0, **arguments: Any
) -> LossContext:
    settings = build(TrainSettings, [Layer("{}", {"class_weights_strength": strength})])
    head = HeadSettings(loss=loss, class_weights=kind, loss_args=arguments)
    return LossContext(settings, head, np.full(4, 5), np.full(4, 0.25), sampler)


def correction(sampler: float, kind: str, strength: float, loss: str = "focal") -> str | None:
    return double_correction(context(loss, kind, strength, sampler), sampler)


def test_correcting_the_prior_twice_gives_a_warning() -> None:
    assert correction(1.0, "inverse", 1.0) == (
        "the sampler (strength 1) and the class weights (inverse, strength 1) both compensate for class "
        "imbalance, in total 2 times as much as needed: rare classes are then predicted too often, which lowers "
        "accuracy and F1; choose sampler_strength and class_weights_strength with a sum of at most 1, or set sampler "
        "or class_weights to none"
    )
    assert correction(0.5, "effective", 0.75) is not None
    assert correction(0.7, "inverse", 0.3) is None
    assert correction(0.0, "inverse", 1.0) is None
    assert correction(1.0, "inverse", 0.0) is None
    assert correction(1.0, "given", 1.0) is None
    assert correction(1.0, "none", 1.0) is None
    assert correction(1.0, "inverse", 1.0, loss="f1") is None  # takes no class weights


def test_the_correction_of_an_added_loss_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "scaled", LossType(lambda context: nn.Identity(), corrects=lambda context: 0.75))
    monkeypatch.setitem(choices.LOSSES, "scaled", "a toy")
    warning = double_correction(context("scaled"), 1.0)
    assert warning is not None
    assert "(scaled, strength 0.75) both compensate for class imbalance, in total 1.75 times" in warning
    assert "class_weights" not in warning and double_correction(context("scaled"), 0.25) is None


@pytest.mark.parametrize("sampler", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_logit_adjustment_corrects_what_the_sampler_leaves(sampler: float) -> None:
    """Of drawn shares in proportion to share^(1 - sampler), tau corrects tau (1 - sampler) of the prior."""
    own = context("logit_adjustment", strength=1.0, sampler=sampler)
    assert double_correction(own, sampler) is None
    stronger = double_correction(context("logit_adjustment", sampler=sampler, tau=1.5), sampler)
    if sampler in (0.0, 1.0):
        assert stronger is None
    else:
        assert stronger is not None and f"(logit_adjustment, strength {1.5 * (1 - sampler):g})" in stronger
        assert stronger.endswith("set tau to at most 1")


def test_a_decision_that_corrects_the_prior_again_gives_a_warning() -> None:
    assert post_hoc_correction(context("focal", "inverse", 0.25, sampler=0.5), 1.0) == (
        "sampler and loss compensate for class imbalance with strength 0.75, and decision_args does so again with tau "
        "1: rare classes are then predicted too often, which lowers accuracy and F1; set tau to at most 0.25, or "
        "sampler and class_weights to none"
    )
    assert post_hoc_correction(context("focal", "inverse", 0.25, sampler=0.5), 0.25) is None
    assert post_hoc_correction(context("focal", "none"), 1.0) is None
    assert post_hoc_correction(context("focal", "inverse", 1.0, sampler=1.0), 0.0) is None
    assert post_hoc_correction(context("logit_adjustment", "none"), 1.0) is not None
