"""Fits a decision on held-out predictions, and estimates what it gains on other groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from model.calibration.held_out import HeldOut
from model.calibration.nested import SEED, Gain, nested_gain, number_of_folds
from model.calibration.prior_correction import accuracy_at, prior_biases
from model.calibration.risk_control import ClassThreshold, find_thresholds
from model.calibration.score_biases import F1, GMEAN, fit_biases, score_of
from model.calibration.temperature import fit_temperature
from model.decisions import Ask, Decision
from model.errors import InputError
from model.evaluation.asked import Asked, asked_scores
from model.labels import MAX_COMBINATIONS
from model.metrics.bootstrap import FEW_GROUPS
from model.metrics.calibration import calibration_error_of, calibration_statistics

NONE = "none"
OPTIMISE = {F1: "macro F1", GMEAN: "geometric mean of F1", NONE: "no biases"}
SHARES = "accuracy at the given shares"  # the score of a prior correction
HALVES = 2  # biases are fitted on one half of the groups and thresholds on the other
CONFIDENCE = 0.95  # of the intervals of the tables


@dataclass(frozen=True)
class Goal:
    """What a decision is fitted for.

    Attributes:
        optimise: A key of OPTIMISE, the score that class biases are fitted for.
        promise: Share of wrong answers per class above which a person is asked; None to ask nobody.
        shares: float64 (C,), class shares where the model is used; None without. Then optimise is NONE.
    """

    optimise: str = NONE
    promise: float | None = None
    shares: NDArray[np.float64] | None = None

    @property
    def has_biases(self) -> bool:
        """Whether biases are fitted."""
        return self.optimise != NONE or self.shares is not None


@dataclass(frozen=True)
class FittedBiases:
    """A temperature and class biases.

    Attributes:
        decision: Has both if the gain is positive, otherwise only the temperature.
        score: Name of the score that the gain is of; "" without biases.
        gain: The nested estimate; None without biases.
        calibration_error: Expected calibration error of the images, without and with the temperature, which was fitted
            on them.
    """

    decision: Decision
    score: str
    gain: Gain | None
    calibration_error: tuple[float, float]


@dataclass(frozen=True)
class FittedThresholds:
    """When to ask a person.

    Attributes:
        promise: Promised share of wrong answers per class.
        thresholds: The threshold of each class.
        nested: Error and coverage of images whose group was not used for the thresholds.
        groups: Number of groups that the thresholds are from.
    """

    promise: float
    thresholds: list[ClassThreshold]
    nested: Asked | None
    groups: int


@dataclass(frozen=True)
class FittedDecision:
    """A fitted decision, and what it gains; None for what was not fitted."""

    decision: Decision
    biases: FittedBiases | None
    thresholds: FittedThresholds | None


def fit_decision(held_out: HeldOut, goal: Goal) -> FittedDecision:
    """Fits a decision.

    With biases and a promise, the groups are divided in halves: the promise holds for classes that are predicted with
    biases which do not depend on the groups of the thresholds.

    Args:
        held_out: The predictions.
        goal: What to fit.

    Raises:
        InputError: There are too few groups, or too many classes for biases.
    """
    if held_out.num_groups < FEW_GROUPS:
        raise InputError(
            f"a decision needs held-out predictions of at least {FEW_GROUPS} {held_out.unit}s with true labels, not "
            f"{held_out.num_groups}"
        )
    if goal.promise is None:
        biases = fit_bias_decision(held_out, goal)
        return FittedDecision(biases.decision, biases, None)
    if not goal.has_biases:
        thresholds = fit_thresholds(held_out, Decision(), goal.promise)
        return FittedDecision(_asking(Decision(), thresholds), None, thresholds)
    half = held_out.folds(HALVES, SEED)
    biases = fit_bias_decision(held_out.take(np.flatnonzero(half == 0)), goal)
    thresholds = fit_thresholds(held_out.take(np.flatnonzero(half == 1)), biases.decision, goal.promise)
    return FittedDecision(_asking(biases.decision, thresholds), biases, thresholds)


def fit_bias_decision(held_out: HeldOut, goal: Goal) -> FittedBiases:
    """A temperature, and the biases of the goal if they gain something on other groups.

    Args:
        held_out: The predictions.
        goal: What to fit; its promise is ignored.

    Raises:
        InputError: There are too many classes for biases.
    """
    if goal.has_biases and held_out.scheme.num_classes > MAX_COMBINATIONS:
        raise InputError(
            f"biases are fitted for at most {MAX_COMBINATIONS:,} classes; the model has "
            f"{held_out.scheme.num_classes:,}; use --optimise none"
        )
    plain = Decision(fit_temperature(held_out.log_probabilities, held_out.truth))
    errors = _calibration_errors(held_out, plain.temperature)
    if not goal.has_biases:
        return FittedBiases(plain, "", None, errors)
    fit, shares = partial(_fit_once, goal=goal), goal.shares
    if shares is not None:
        name, gain = SHARES, nested_gain(held_out, fit, lambda counts: accuracy_at(counts, shares))
    else:
        name = OPTIMISE[goal.optimise]
        gain = nested_gain(held_out, fit, lambda counts: score_of(counts, goal.optimise))
    return FittedBiases(fit(held_out) if gain.is_positive else plain, name, gain, errors)


def _fit_once(held_out: HeldOut, goal: Goal) -> Decision:
    """Temperature and biases, fitted on all images."""
    temperature = fit_temperature(held_out.log_probabilities, held_out.truth)
    if goal.shares is not None:
        biases = prior_biases(held_out, temperature, goal.shares)
    else:
        biases = fit_biases(held_out, temperature, goal.optimise)
    # 6 digits are enough for a decision, and readable; equal biases are none
    rounded = tuple(round(value, 6) for value in biases.tolist())
    return Decision(round(temperature, 6), rounded if len(set(rounded)) > 1 else ())


def fit_thresholds(held_out: HeldOut, decision: Decision, promise: float) -> FittedThresholds:
    """The thresholds of the classes, and the nested estimate of error and coverage.

    Args:
        held_out: The predictions; no group of them was used for the decision.
        decision: Chooses the classes.
        promise: Promised share of wrong answers per class.
    """
    thresholds = _thresholds(held_out, decision, promise)
    number = number_of_folds(held_out)
    folds, asked = held_out.folds(number, SEED), np.ones(len(held_out), bool)
    for fold in range(number):
        others = _thresholds(held_out.take(np.flatnonzero(folds != fold)), decision, promise)
        asks = _ask(decision, others, promise).asks(held_out.probabilities[folds == fold])
        asked[folds == fold] = asks
    scheme, classes = held_out.scheme, decision.classes(held_out.probabilities)
    groups = held_out.groups if held_out.group_label else None
    nested = asked_scores(scheme.class_names, held_out.truth, classes, asked, groups, CONFIDENCE)
    return FittedThresholds(promise, thresholds, nested, held_out.num_groups)


def _thresholds(held_out: HeldOut, decision: Decision, promise: float) -> list[ClassThreshold]:
    classes = decision.classes(held_out.probabilities)
    probability = held_out.probabilities[np.arange(len(held_out)), classes]
    num_classes = held_out.scheme.num_classes
    return find_thresholds(probability, classes, held_out.truth, held_out.groups, num_classes, promise)


def _asking(decision: Decision, thresholds: FittedThresholds) -> Ask:
    return _ask(decision, thresholds.thresholds, thresholds.promise)


def _ask(decision: Decision, thresholds: list[ClassThreshold], promise: float) -> Ask:
    """The decision with the thresholds of the classes."""
    return Ask(decision.temperature, decision.biases, tuple(one.threshold for one in thresholds), promise)


def _calibration_errors(held_out: HeldOut, temperature: float) -> tuple[float, float]:
    """Expected calibration error at temperature 1 and at this one."""
    logs = held_out.log_probabilities / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    tempered = powers / powers.sum(axis=1, keepdims=True)
    errors = [
        float(calibration_error_of(np.asarray(calibration_statistics(own, held_out.truth).sum(axis=0))))
        for own in (held_out.probabilities, tempered)
    ]
    return errors[0], errors[1]
