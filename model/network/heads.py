"""What a network's outputs mean: a run of logits for each target, and the joint probability that they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from model.errors import InputError, listing
from model.labels import HEADS, JOINT, Scheme


@dataclass(frozen=True)
class Head:
    """One classifier on the backbone. attributes: whose joint class it tells (all of them for the joint head);
    outputs: its logits, 1 for two classes told by a sigmoid (loss bce)."""

    name: str
    attributes: tuple[str, ...]
    classes: int
    outputs: int

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """float32 (N, classes) from this head's logits (N, outputs)."""
        logits = logits.float()
        if self.outputs == 1:
            return torch.cat([torch.nn.functional.logsigmoid(-logits), torch.nn.functional.logsigmoid(logits)], dim=1)
        return torch.log_softmax(logits, dim=1)


@dataclass(frozen=True)
class Heads:
    """The heads in the order of their logits, and the scheme that they answer together. channel: the scheme of the
    channel that they learnt from, where they answer a part of it."""

    scheme: Scheme
    heads: tuple[Head, ...]
    channel: Scheme | None = None

    @property
    def outputs(self) -> int:
        """Logits of the network, all heads together."""
        return sum(head.outputs for head in self.heads)

    def split(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Each head's logits (N, its outputs) from the network's (N, outputs)."""
        return list(logits.split([head.outputs for head in self.heads], dim=1))

    def targets(self, codes: Mapping[str, Any]) -> list[Any]:
        """Each head's classes from those of the attributes."""
        return [self.head_scheme(head).joint(codes) for head in self.heads]

    def head_scheme(self, head: Head) -> Scheme:
        """The scheme of one head's attributes."""
        return Scheme(tuple(self.scheme.attribute(name) for name in head.attributes))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """float32 (N, joint classes), rows sum to 1: the product over the heads, which are taken as independent."""
        joint = torch.zeros(len(logits), 1, device=logits.device)
        for head, part in zip(self.heads, self.split(logits)):
            joint = (joint.unsqueeze(2) + head.log_probabilities(part).unsqueeze(1)).flatten(1)
        return joint.exp()

    def to_dict(self) -> dict[str, Any]:
        """What labels.json holds: labels() and the heads."""
        heads = [
            {"name": h.name, "attributes": list(h.attributes), "classes": h.classes, "outputs": h.outputs}
            for h in self.heads
        ]
        return {**self.labels(), "heads": heads}

    def labels(self) -> dict[str, Any]:
        """The scheme, and the channel's where the heads answer a part of it."""
        return {**self.scheme.to_dict(), **({"channel": self.channel.to_dict()} if self.channel else {})}

    @classmethod
    def from_dict(cls, scheme: Scheme, saved: Mapping[str, Any]) -> Heads:
        """The inverse of to_dict. InputError where the content does not fit the scheme."""
        try:
            heads = tuple(
                Head(h["name"], tuple(h["attributes"]), int(h["classes"]), int(h["outputs"])) for h in saved["heads"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not heads of a network: {type(error).__name__}: {error}") from None
        made = cls(scheme, heads, Scheme.from_dict(saved["channel"]) if "channel" in saved else None)
        if tuple(name for head in heads for name in head.attributes) != scheme.names or any(
            head.classes != made.head_scheme(head).num_classes for head in heads
        ):
            raise InputError(f"the heads {listing(h.name for h in heads)} do not answer {listing(scheme.names)}")
        return made


def make_heads(
    scheme: Scheme, target: str, loss_of: Callable[[str], str], num_classes: int = 0, channel: Scheme | None = None
) -> Heads:
    """Heads for a scheme that target_scheme has narrowed from the channel's.

    loss_of: the loss of a head by its name (`joint`, or the attribute's); num_classes: those that are expected, 0 where
    any are. InputError where loss bce meets more than two classes, or where there are others than are expected.
    """
    if target == HEADS:
        parts: Sequence[tuple[str, Scheme]] = [(name, scheme.only(name)) for name in scheme.names]
    else:
        parts = [(scheme.names[0] if len(scheme.names) == 1 else JOINT, scheme)]
    made = []
    for name, part in parts:
        binary = loss_of(name) == "bce"
        if binary and part.num_classes != 2:
            raise InputError(f"loss bce is for two classes; {name} has {part.num_classes}: {listing(part.class_names)}")
        made.append(Head(name, part.names, part.num_classes, 1 if binary else part.num_classes))
    heads = Heads(scheme, tuple(made), channel if channel != scheme else None)
    if num_classes and num_classes not in (scheme.num_classes, heads.outputs):
        names = listing(scheme.class_names)
        raise InputError(f"num_classes = {num_classes}: the target has {scheme.num_classes}: {names}")
    return heads
