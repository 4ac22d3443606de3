"""Classifiers of a saved model for other classes: the rows of their last layers are matched by class name.

A row of a classifier's last layer answers one class. Taken over by position, the row of `cat` would answer whatever
class has its number in the new network.
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
        tensors: By the new network's parameter names; a head that is left out has none.
        lines: What was done, a line for each head.
    """

    tensors: dict[str, torch.Tensor]
    lines: list[str]


def match_classifiers(saved: State, saved_heads: Heads, initial: State, heads: Heads) -> MatchedClassifiers:
    """The classifiers of a saved model for the heads of a new network.

    Args:
        saved: State of the saved network; its classifiers at least.
        saved_heads: Heads of the saved network.
        initial: State of the new network, whose rows stay where the saved model lacks the class.
        heads: Heads of the new network.
    """
    tensors: dict[str, torch.Tensor] = {}
    lines = []
    for number, head in enumerate(heads.heads):
        position = _same_head(saved_heads, heads, head)
        own = _layers(initial, number)
        if position is None:
            lines.append(f"classifier {head.name}: left out, the saved model has none of {listing(head.attributes)}")
            continue
        saved_head = saved_heads.heads[position]
        names, saved_names = heads.head_scheme(head).class_names, saved_heads.head_scheme(saved_head).class_names
        matched, line = _match_head(_layers(saved, position), saved_names, own, names)
        lines.append(f"classifier {head.name}: {line}")
        tensors |= {f"{HEADS_PREFIX}{number}.{name}": value for name, value in matched.items()}
    return MatchedClassifiers(tensors, lines)


def _same_head(saved_heads: Heads, heads: Heads, head: Head) -> int | None:
    """Position of the saved head of the same attributes; of two networks with one head each that head, whatever its
    attribute is called. None if there is none."""
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
    """The classifier of one head, empty if it is left out, and what was done.

    Args:
        saved, own: Parameters of the saved and of the new classifier, as of _layers.
        saved_names, names: Their classes in the order of the rows.
    """
    last = max(own, key=_layer_number).partition(".")[0] + "."
    outputs, saved_outputs = len(own[last + "bias"]), len(saved.get(last + "bias", ()))
    one_logit = outputs == 1 and len(names) == 2  # loss bce
    fits = saved.keys() == own.keys() and all(
        saved[name].shape[1:] == value.shape[1:] if name.startswith(last) else saved[name].shape == value.shape
        for name, value in own.items()
    )
    if not fits or one_logit != (saved_outputs == 1 and len(saved_names) == 2):
        return {}, f"left out, its layers are others: {_shapes(saved)}, here {_shapes(own)}"
    if saved_names == names:
        return dict(saved), f"taken over, of the same {len(names):,} classes"
    if one_logit:
        if set(saved_names) != set(names):
            return {}, f"left out, it is of other classes: {listing(saved_names, MOST_NAMES)}"
        # the logit of the second class, which was the first: the other way round
        turned = {name: -value if name.startswith(last) else value for name, value in saved.items()}
        return turned, "taken over with the opposite sign, as the two classes have changed places"
    row_of = {name: row for row, name in enumerate(saved_names)}
    rows = [row for row, name in enumerate(names) if name in row_of]
    if not rows:
        return {}, f"left out, no class has the name of one of the saved model: {listing(saved_names, MOST_NAMES)}"
    saved_rows = [row_of[names[row]] for row in rows]
    matched = dict(saved)
    for name in (last + "weight", last + "bias"):
        matched[name] = own[name].clone()
        matched[name][rows] = saved[name][saved_rows].to(matched[name].dtype)
    new = [name for name in names if name not in row_of]
    line = f"the rows of {len(rows):,} of {len(names):,} classes are taken over by name"
    return matched, f"{line}; from scratch: {listing(new, MOST_NAMES)}" if new else f"{line}, in another order"


def _layer_number(name: str) -> int:
    return int(re.match(r"\d+", name).group())  # type: ignore[union-attr]


def _shapes(layers: State) -> str:
    return listing(str(list(value.shape)) for name, value in layers.items() if name.endswith("weight")) or "none"
