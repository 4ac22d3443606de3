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


# The values of the setting `class_weights` (also listed in model.settings.choices.CLASS_WEIGHTS) with their formulas. A
# formula takes the number of images of each class, float64 (C,) of at least 1, and effective_beta, and returns weights
# (C,) that correct the class prior. `none` and `given` have no formula.
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

    The weights are scaled so that their mean over `drawn_shares` is 1. The weighted loss is then a plain mean over
    images, so the losses of equal batches, accumulated batches and processes average to exactly the loss of all their
    images. torch's `weight=` divides by the sum of weights in each batch, so its losses do not.

    Args:
        kind: A name in CLASS_WEIGHTS.
        counts: (C,), training images of each class. A class without images has weight 0.
        drawn_shares: (C,), the distribution over classes that the sampler draws.
        strength: Power to which the weights of a formula are raised.
        values: (C,), the weights for kind "given".
        beta: beta of the effective number.

    Raises:
        InputError: If there is not one value per class, or all classes that are drawn have weight 0.
    """
    if kind not in CLASS_WEIGHTS:
        expected = f"{listing(CLASS_WEIGHTS)}{did_you_mean(kind, CLASS_WEIGHTS)}"
        raise InputError(f"class_weights {kind!r}: expected one of {expected}")
    if kind == "none":
        return None
    if kind == "given" and len(values) != len(counts):
        raise InputError(f"class_weight_values has {len(values)} numbers; expected {len(counts)}, one per class")
    # weights by formula or as given; a class without images has none
    occurs = counts > 0
    formula = CLASS_WEIGHTS[kind]
    if formula is None:
        weights = np.asarray(values, np.float64)
    else:
        weights = formula(np.where(occurs, counts, 1).astype(np.float64), beta) ** strength
    weights = np.where(occurs, weights, 0)
    # scale the mean over drawn images to 1
    mean = float((weights * drawn_shares).sum())
    if not mean > 0:
        raise InputError(f"class_weight_values {listing(values)}: no class with images has a weight above 0")
    return torch.tensor(weights / mean, dtype=torch.float32)


def corrected_share(kind: str, strength: float) -> float:
    """Share of the class prior that class weights correct, from 0 (nothing) to 1 (all). 0 for `given` weights, as it is
    unknown there."""
    return 0.0 if CLASS_WEIGHTS[kind] is None else strength
