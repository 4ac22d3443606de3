"""Class weights of the training losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import InputError, did_you_mean, listing

Formula = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


def inverse(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """1 / count."""
    return 1 / counts


def effective(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """Inverse of the effective number of samples, (1 - beta) / (1 - beta^count): Cui et al., Class-Balanced Loss Based
    on Effective Number of Samples, CVPR 2019."""
    return 1 / counts if beta == 1 else (1 - beta) / (1 - beta**counts)


# By the names of the setting `class_weights`, which are those of model.settings.choices.CLASS_WEIGHTS. A formula makes
# weights that correct the class prior of images of each class (at least 1) and effective_beta, float64 (C,) each;
# `none` and `given` have no formula.
CLASS_WEIGHTS: dict[str, Formula | None] = {"none": None, "inverse": inverse, "effective": effective, "given": None}


def class_weights(
    kind: str,
    counts: NDArray[Any],
    drawn_shares: NDArray[Any],
    strength: float,
    values: Sequence[float] = (),
    beta: float = 0.999,
) -> Tensor | None:
    """Weights of the classes for a loss, float32 (C,); None for kind "none".

    The weights are scaled so that their mean over `drawn_shares` is 1. The weighted loss therefore is a plain mean over
    images: batches, accumulated batches and processes of equal size average to exactly the loss of the whole. torch's
    `weight=` divides by the sum of weights of each batch, so its losses do not.

    Args:
        kind: A name in CLASS_WEIGHTS.
        counts: (C,), training images of each class. A class without images has weight 0.
        drawn_shares: (C,), the distribution over classes that the sampler draws.
        strength: Power to which the weights of a formula are raised.
        values: (C,), the weights for kind "given".
        beta: beta of the effective number.

    Raises:
        InputError: If `values` are not one a class, or give no class that is drawn a weight above 0.
    """
    if kind not in CLASS_WEIGHTS:
        expected = f"{listing(CLASS_WEIGHTS)}{did_you_mean(kind, CLASS_WEIGHTS)}"
        raise InputError(f"class_weights {kind!r} is none of {expected}")
    if kind == "none":
        return None
    if kind == "given" and len(values) != len(counts):
        raise InputError(f"class_weight_values has {len(values)} numbers, there are {len(counts)} classes")
    occurs = counts > 0
    formula = CLASS_WEIGHTS[kind]
    if formula is None:
        weights = np.asarray(values, np.float64)
    else:
        weights = formula(np.where(occurs, counts, 1).astype(np.float64), beta) ** strength
    weights = np.where(occurs, weights, 0)
    mean = float((weights * drawn_shares).sum())
    if not mean > 0:
        raise InputError(f"class_weight_values {listing(values)} leave no image with a weight above 0")
    return torch.tensor(weights / mean, dtype=torch.float32)


def corrected_share(kind: str, strength: float) -> float:
    """Share of the class prior that class weights correct: 1 all of it, 0 nothing. `given` weights are not known to."""
    return 0.0 if CLASS_WEIGHTS[kind] is None else strength
