"""Held-out predictions whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from model.attributes import Attribute
from model.calibration.held_out import HeldOut
from model.labels import Scheme

KINDS = Scheme((Attribute("kind", ("cat", "dog", "owl")),))


@pytest.fixture
def make_held_out():
    """Draws predictions: true classes by `shares`, normal logits with `signal` at the true class, plus `biases`."""

    def made(
        groups: int = 200,
        images: int = 2,
        shares: tuple[float, ...] = (0.7, 0.2, 0.1),
        signal: float = 2.0,
        biases: tuple[float, ...] = (0.0,),
        scheme: Scheme = KINDS,
        seed: int = 0,
    ) -> HeldOut:
        generator = np.random.default_rng(seed)
        truth = generator.choice(len(shares), size=groups * images, p=shares)
        logits = generator.normal(size=(len(truth), len(shares)))
        logits[np.arange(len(truth)), truth] += signal
        # logits of a normal signal are signal times the difference of the values, plus the log shares
        log_posterior = signal * logits + np.log(shares)
        rows = np.repeat(np.arange(groups), images)
        return HeldOut(scheme, softmax(log_posterior + np.array(biases), axis=1), truth, rows, "person")

    return made
