"""Loads a saved model's classifiers into a network with other classes, by matching class names.

Each row of a classifier's last layer predicts one class. If rows were copied by position, the row trained for `cat`
could become the row of another class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from model.errors import listing
from model.network.heads import Head, Heads

HEADS_PREFIX = "heads."  # prefix of a network's own classifiers, followed by the number of the head
MOST_NAMES = 5  # in a log line

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class MatchedClassifiers:
    """Classifiers in the order of the new network's heads.

    Attributes:
        tensors: Tensors by the new network's parameter names; none for a head that is not matched.
        lines: A log line for each head.
    """

    tensors: dict[str, torch.Tensor]
    lines: list[str]


def match_classifiers(saved: State, saved_heads: Heads, initial: State, heads: Heads) -> MatchedClassifiers:
    """Matches the classifiers of a saved model with the heads of a new network.

    Args:
        saved: State of the saved network; only its classifiers are used.
        saved_heads: Heads of the saved network.
        initial: State of the new network. Rows of classes that the saved model lacks are kept from it.
        heads: Heads of the new network.
    """
    tensors: dict[str, torch.Tensor] = {}
    lines = []
    for number, head in enumerate(heads.heads):
        position = _same_head(saved_heads, heads, head)
        own = _layers(initial, number)
        if position is None:
            lines.append(
                f"classifier {head.name}: starts from scratch: the saved model has none for {listing(head.attributes)}"
            )
            continue
        saved_head = saved_heads.heads[position]
        if head.bins != saved_head.bins:
            lines.append(f"classifier {head.name}: starts from scratch: the saved one has {_rows_text(saved_head)}")
            continue
        names, saved_names = heads.head_scheme(head).class_names, saved_heads.head_scheme(saved_head).class_names
        if head.bins is not None:  # its rows are the bins, whatever the names of the bands
            saved_names = names
        matched, line = _match_head(_layers(saved, position), saved_names, own, names)
        lines.append(f"classifier {head.name}: {line}")
        tensors |= {f"{HEADS_PREFIX}{number}.{name}": value for name, value in matched.items()}
    return MatchedClassifiers(tensors, lines)


def _same_head(saved_heads: Heads, heads: Heads, head: Head) -> int | None:
    """Position of the saved head with the same attributes; None if there is none. If both networks have one head, names
    of attributes may differ."""
    for position, saved in enumerate(saved_heads.heads):
        if saved.attributes == head.attributes:
            return position
    are_single = len(saved_heads.heads) == len(heads.heads) == 1
    return 0 if are_single and len(saved_heads.heads[0].attributes) == len(head.attributes) else None


def _layers(state: State, head: int) -> dict[str, torch.Tensor]:
    """Parameters of a head's classifier by name inside it (`1.weight`)."""
    prefix = f"{HEADS_PREFIX}{head}."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _match_head(
    saved: State, saved_names: list[str], own: State, names: list[str]
) -> tuple[dict[str, torch.Tensor], str]:
    """Matches the classifier of one head.

    Args:
        saved, own: Parameters of the saved and of the new classifier, as returned by _layers.
        saved_names, names: Their class names in the order of the rows.

    Returns:
        The parameters to load, empty if the classifiers do not match, and the text to log.
    """
    last = max(own, key=_layer_number).partition(".")[0] + "."
    outputs, saved_outputs = len(own[last + "weight"]), len(saved.get(last + "weight", ()))
    rows_by_class = {last + "weight", last + "bias"}  # a cosine layer has no bias, but a scale for all rows
    one_logit = outputs == 1 and len(names) == 2  # loss bce
    # all layers must have the same shapes, except for the number of rows of the last
    fits = saved.keys() == own.keys() and all(
        saved[name].shape[1:] == value.shape[1:] if name.startswith(last) else saved[name].shape == value.shape
        for name, value in own.items()
    )
    if not fits or one_logit != (saved_outputs == 1 and len(saved_names) == 2):
        return {}, f"not used, its layers differ: saved {_shapes(saved)}, here {_shapes(own)}"
    if saved_names == names:
        return dict(saved), f"loaded, it has the same {len(names):,} classes"
    if one_logit:
        if set(saved_names) != set(names):
            return {}, f"not used, it has other classes: {listing(saved_names, MOST_NAMES)}"
        # the only logit is that of the second class: if the classes swap, its sign changes
        negated = {name: -value if name in rows_by_class else value for name, value in saved.items()}
        return negated, "loaded with the opposite sign, because the order of the two classes has changed"
    # copy the rows of the classes that both have
    row_of = {name: row for row, name in enumerate(saved_names)}
    common = [row for row, name in enumerate(names) if name in row_of]
    if not common:
        return {}, f"not used, no class name matches one of the saved model: {listing(saved_names, MOST_NAMES)}"
    saved_rows = [row_of[names[row]] for row in common]
    matched = dict(saved)
    for name in rows_by_class & own.keys():
        matched[name] = own[name].clone()
        matched[name][common] = saved[name][saved_rows].to(matched[name].dtype)
    new = [name for name in names if name not in row_of]
    line = f"the rows of {len(common):,} of {len(names):,} classes are loaded by class name"
    return matched, f"{line}; from scratch: {listing(new, MOST_NAMES)}" if new else f"{line}, in a different order"


def _rows_text(head: Head) -> str:
    """What the rows of a classifier are, for a log line."""
    if head.bins is None:
        return "a row for each class"
    return f"{len(head.bins):,} bins of its number from {head.bins.edges[0]:g} to {head.bins.edges[-1]:g}"


def _layer_number(name: str) -> int:
    return int(re.match(r"\d+", name).group())  # type: ignore[union-attr]


def _shapes(layers: State) -> str:
    return listing(str(list(value.shape)) for name, value in layers.items() if name.endswith("weight")) or "none"
