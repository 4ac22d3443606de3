"""The numbers that a saved model or an ensemble estimates: the means of learned distributions, such as the age."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from model.artifacts.ensemble import PRODUCT, Ensemble
from model.artifacts.saved_model import SavedModel
from model.network.number_bins import Numbers


def number_names(model: SavedModel | Ensemble) -> tuple[str, ...]:
    """Names of the attributes whose number a model estimates, in the order of its scheme."""
    if isinstance(model, SavedModel):
        return model.heads.number_names
    known = {
        name
        for member, weight in zip(model.members, model.weights, strict=True)
        if weight > 0 or model.combine == PRODUCT
        for name in number_names(member)
    }
    return tuple(name for name in model.scheme.names if name in known)


def combine_numbers(model: SavedModel | Ensemble, numbers: Iterator[Numbers]) -> Numbers:
    """The numbers of a model from those of its saved models.

    Those of an ensemble are the weighted mean over the members that estimate them; members for different attributes,
    whose probabilities are multiplied, each have their own.

    Args:
        model: The model.
        numbers: By name of an attribute, float32 (N,), of each of saved_models(model), in order.

    Returns:
        By the names of number_names, float32 (N,).
    """
    if isinstance(model, SavedModel):
        return next(numbers)
    parts = [combine_numbers(member, numbers) for member in model.members]
    combined = {}
    for name in number_names(model):
        own = [
            (part[name], 1.0 if model.combine == PRODUCT else weight)
            for part, weight in zip(parts, model.weights, strict=True)
            if name in part
        ]
        values, weights = zip(*own, strict=True)
        combined[name] = np.average(values, axis=0, weights=weights).astype(np.float32)
    return combined
