"""The decision of a model in training: that of the settings, with the argument tau resolved into biases.

Post-hoc logit adjustment: Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 9.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from model.data.table import Table
from model.decisions import DECISIONS, Decision, make_decision
from model.errors import InputError
from model.settings.decode import decode
from model.settings.train import TrainSettings

TAU = "tau"  # in decision_args only: the saved decision has biases instead
BIASES = "biases"


def trained_decision(settings: TrainSettings, table: Table) -> Decision:
    """The decision that the settings define for a model that is trained on the images of a table.

    With the argument tau, for rules with biases, the biases are those in decision_args - tau * log(class share).
    Classes are those of the decision: the joint ones if there are several attributes, for all targets.

    Args:
        settings: decision and decision_args.
        table: The training images, with the labels of the target.

    Raises:
        InputError: Lists the problems in decision_args, or says that tau cannot be used.
    """
    arguments, num_classes = dict(settings.decision_args), table.scheme.num_classes
    tau = post_hoc_tau(settings)
    if tau is None:
        return make_decision(settings.decision, arguments, num_classes)
    del arguments[TAU]
    given = make_decision(settings.decision, arguments, num_classes)
    counts = table.class_counts()
    if not counts.any():
        raise InputError(f"{TAU}: no training image has every label, so the shares of the joint classes are unknown")
    biases = np.asarray(getattr(given, BIASES) or np.zeros(num_classes)) + prior_biases(counts, tau)
    return make_decision(settings.decision, {**arguments, BIASES: biases.tolist()}, num_classes)


def prior_biases(counts: NDArray[np.int64], tau: float) -> NDArray[np.float64]:
    """-tau * log(share) of each class, float64 (C,), where its share is that among the training images.

    A class without images gets the lowest bias, that of the most frequent class: nothing is known of it.

    Args:
        counts: Training images of each class, (C,); at least one is above 0.
        tau: Strength; 1 corrects the whole prior.
    """
    shares = np.where(counts > 0, counts, counts.max()) / counts.sum()
    return np.asarray(-tau * np.log(shares), np.float64)


def post_hoc_tau(settings: TrainSettings) -> float | None:
    """The argument tau of decision_args; None if there is none, or if the rule has no biases to resolve it into.

    Raises:
        InputError: It is not a finite number of at least 0.
    """
    rule = DECISIONS.get(settings.decision)
    names = {field.name for field in dataclasses.fields(rule)} if rule else set()
    if TAU not in settings.decision_args or BIASES not in names or TAU in names:
        return None
    try:
        tau = decode(float, settings.decision_args[TAU])
    except ValueError as error:
        raise InputError(f"{TAU}: {settings.decision_args[TAU]!r}: {error}") from None
    if not 0 <= tau < math.inf:
        raise InputError(f"{TAU}: must be at least 0, not {tau:g}")
    return float(tau)
