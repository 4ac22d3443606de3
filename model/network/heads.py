"""Heads: how a network's logits are divided among its classifiers, and joint probabilities from them.

Uses numpy without torch; model.network.probabilities computes the same for tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError, listing
from model.labels import HEADS, JOINT, Scheme
from model.network.number_bins import NumberBins, Numbers


@dataclass(frozen=True)
class Head:
    """One classifier on the backbone.

    Attributes:
        name: `joint`, or the name of its attribute.
        attributes: The attributes whose joint class it predicts.
        classes: Number of those classes.
        outputs: Number of its logits: one per class, or 1 for two classes with a sigmoid (loss bce), or one per bin.
        bins: The bins of the attribute's number, if its distribution is learned; its bands are the classes.
    """

    name: str
    attributes: tuple[str, ...]
    classes: int
    outputs: int
    bins: NumberBins | None = None

    def log_probabilities(self, logits: NDArray[Any]) -> NDArray[np.float32]:
        """Log probabilities of the classes, float32 (N, classes), from this head's logits (N, outputs)."""
        log_probabilities = self._log_outputs(logits)
        return log_probabilities if self.bins is None else self.bins.band_log_probabilities(log_probabilities)

    def numbers(self, logits: NDArray[Any]) -> NDArray[np.float32]:
        """The mean of the learned distribution, float32 (N,), from this head's logits (N, bins)."""
        assert self.bins is not None, f"head {self.name} learns no distribution"
        return self.bins.mean(self._log_outputs(logits))

    def _log_outputs(self, logits: NDArray[Any]) -> NDArray[np.float32]:
        """Log probabilities of the classes or of the bins, float32 (N, 2 or outputs)."""
        logits = logits.astype(np.float32)
        if self.outputs == 1:
            # log sigmoid(-x) and log sigmoid(x)
            return -np.logaddexp(np.float32(0), np.concatenate([logits, -logits], axis=1))
        # log softmax; the maximum is subtracted first so that exp does not overflow
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Heads:
    """The heads of a network.

    Attributes:
        scheme: The label scheme that they predict together.
        heads: The heads, in the order of their logits.
        channel: The scheme of the training channel, if `scheme` is only a part of it.
    """

    scheme: Scheme
    heads: tuple[Head, ...]
    channel: Scheme | None = None

    @property
    def outputs(self) -> int:
        """Number of logits of all heads together."""
        return sum(head.outputs for head in self.heads)

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the attributes whose distribution is learned."""
        return tuple(head.name for head in self.heads if head.bins is not None)

    def numbers(self, logits: NDArray[Any]) -> Numbers:
        """The mean of each learned distribution by the name of its attribute, from logits (N, outputs)."""
        return {
            head.name: head.numbers(part) for head, part in zip(self.heads, self.split(logits)) if head.bins is not None
        }

    def split(self, logits: Any) -> list[Any]:
        """Splits logits (N, outputs), an array or a tensor, into those of each head."""
        ends = accumulate(head.outputs for head in self.heads)
        return [logits[:, end - head.outputs : end] for head, end in zip(self.heads, ends)]

    def targets(self, codes: Mapping[str, Any]) -> list[Any]:
        """Each head's classes from the classes of the attributes (integer arrays or tensors by name)."""
        return [self.head_scheme(head).joint(codes) for head in self.heads]

    def head_scheme(self, head: Head) -> Scheme:
        """The label scheme of one head's attributes."""
        if head.attributes == self.scheme.names:
            return self.scheme
        return Scheme(tuple(self.scheme.attribute(name) for name in head.attributes))

    @cached_property
    def head_classes(self) -> list[NDArray[np.int64]] | None:
        """For each head, its class in each joint class, int64 (joint classes,). None if the joint classes are all
        combinations of the heads' classes, in order."""
        if self.scheme.combinations is None or len(self.heads) == 1:
            return None
        codes = self.scheme.split(np.arange(self.scheme.num_classes))
        return [np.asarray(targets, np.int64) for targets in self.targets(codes)]

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float32]:
        """Joint probabilities, float32 (N, joint classes), from logits (N, outputs).

        They are the product over the heads, which are assumed to be independent. If only some combinations are joint
        classes, they are normalised to a sum of 1.
        """
        if self.head_classes is not None:
            joint = np.zeros((len(logits), self.scheme.num_classes), np.float32)
            for head, part, classes in zip(self.heads, self.split(logits), self.head_classes):
                joint += head.log_probabilities(part)[:, classes]
            # softmax; the maximum is subtracted first so that not all exps underflow to 0
            joint = np.exp(joint - joint.max(axis=1, keepdims=True))
            return joint / joint.sum(axis=1, keepdims=True)
        joint = np.zeros((len(logits), 1), np.float32)
        for head, part in zip(self.heads, self.split(logits)):
            # outer sum of log probabilities; the last head varies fastest, as in Scheme.joint
            joint = (joint[:, :, None] + head.log_probabilities(part)[:, None, :]).reshape(len(logits), -1)
        return np.exp(joint)

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json: labels() and the heads."""
        heads = [
            {"name": h.name, "attributes": list(h.attributes), "classes": h.classes, "outputs": h.outputs}
            | ({} if h.bins is None else {"bins": h.bins.to_dict()})
            for h in self.heads
        ]
        return {**self.labels(), "heads": heads}

    def labels(self) -> dict[str, Any]:
        """The scheme as a mapping, with the channel's scheme if that is a different one."""
        return {**self.scheme.to_dict(), **({"channel": self.channel.to_dict()} if self.channel else {})}

    @classmethod
    def from_dict(cls, scheme: Scheme, saved: Mapping[str, Any]) -> Heads:
        """The inverse of to_dict. Raises InputError if the content does not fit the scheme."""
        try:
            heads = tuple(
                Head(
                    h["name"],
                    tuple(h["attributes"]),
                    int(h["classes"]),
                    int(h["outputs"]),
                    NumberBins.from_dict(h["bins"], scheme.attribute(h["name"]).cuts) if "bins" in h else None,
                )
                for h in saved["heads"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"invalid heads: {type(error).__name__}: {error}") from None
        loaded = cls(scheme, heads, Scheme.from_dict(saved["channel"]) if "channel" in saved else None)
        if tuple(name for head in heads for name in head.attributes) != scheme.names or any(
            head.classes != loaded.head_scheme(head).num_classes
            or (head.bins is not None and head.outputs != len(head.bins))
            for head in heads
        ):
            names = listing(scheme.names)
            raise InputError(f"the heads {listing(h.name for h in heads)} do not predict the attributes {names}")
        return loaded


def make_heads(
    scheme: Scheme,
    target: str,
    outputs_of: Callable[[str, int], int],
    num_classes: int = 0,
    channel: Scheme | None = None,
    bins: Mapping[str, NumberBins] | None = None,
) -> Heads:
    """Makes the heads for a target.

    Args:
        scheme: The label scheme of the target, from target_scheme.
        target: joint, heads, or the name of an attribute.
        outputs_of: Returns the number of logits that the loss of a head needs, from the head's name and number of
            classes. Raises ValueError if the loss does not support this number of classes.
        num_classes: Number of classes that the target must have; 0 accepts any number.
        channel: The scheme of the channel.
        bins: The bins of each attribute whose distribution is learned, by its name.

    Raises:
        InputError: If outputs_of raised ValueError, the target does not have num_classes classes, or an attribute with
            bins has no head of its own.
    """
    bins = {name: own for name, own in (bins or {}).items() if name in scheme.names}
    if target == HEADS:
        parts: Sequence[tuple[str, Scheme]] = [(name, scheme.only(name)) for name in scheme.names]
    else:
        parts = [(scheme.names[0] if len(scheme.names) == 1 else JOINT, scheme)]
    if shared := [name for name in bins if name not in dict(parts)]:
        raise InputError(
            f"the distribution of {listing(shared)} is learned by a classifier of its own; --target {target} has one "
            "for all attributes together: set --target heads, or separate"
        )
    heads = []
    for name, part in parts:
        if name in bins:
            heads.append(Head(name, part.names, part.num_classes, len(bins[name]), bins[name]))
            continue
        try:
            outputs = outputs_of(name, part.num_classes)
        except ValueError as error:
            names = listing(part.class_names)
            raise InputError(f"{error}; {name} has {part.num_classes}: {names}") from None
        heads.append(Head(name, part.names, part.num_classes, outputs))
    all_heads = Heads(scheme, tuple(heads), channel if channel != scheme else None)
    of_heads = sum(head.outputs if head.bins is None else head.classes for head in heads)
    if num_classes and num_classes not in (scheme.num_classes, of_heads):
        names = listing(scheme.class_names)
        raise InputError(f"num_classes = {num_classes}: the target has {scheme.num_classes}: {names}")
    return all_heads
