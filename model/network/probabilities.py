"""Joint probabilities as torch tensors, on the device of the logits; Heads.probabilities computes them with numpy."""

from __future__ import annotations

import torch

from model.network.heads import Head, Heads


def joint_probabilities(heads: Heads, logits: torch.Tensor) -> torch.Tensor:
    """Joint probabilities, float32 (N, joint classes), from logits (N, outputs).

    They are the product over the heads, which are assumed to be independent. If only some combinations are joint
    classes, they are normalised to a sum of 1.

    Args:
        heads: The heads of the network.
        logits: Logits of all heads.
    """
    if heads.head_classes is not None:
        joint = torch.zeros(len(logits), heads.scheme.num_classes, device=logits.device)
        for head, part, classes in zip(heads.heads, heads.split(logits), heads.head_classes):
            joint += head_log_probabilities(head, part)[:, torch.from_numpy(classes).to(logits.device)]
        return joint.softmax(dim=1)
    joint = torch.zeros(len(logits), 1, device=logits.device)
    for head, part in zip(heads.heads, heads.split(logits)):
        # outer sum of log probabilities; the last head varies fastest, as in Scheme.joint
        joint = (joint.unsqueeze(2) + head_log_probabilities(head, part).unsqueeze(1)).flatten(1)
    return joint.exp()


def head_log_probabilities(head: Head, logits: torch.Tensor) -> torch.Tensor:
    """Log probabilities of the classes, float32 (N, classes), from one head's logits (N, outputs)."""
    logits = logits.float()
    if head.outputs == 1:
        return torch.cat([torch.nn.functional.logsigmoid(-logits), torch.nn.functional.logsigmoid(logits)], dim=1)
    log_probabilities = torch.log_softmax(logits, dim=1)
    if head.bins is None:
        return log_probabilities
    # the probability of a band is the sum over its bins
    bands = log_probabilities.tensor_split(head.bins.starts[1:].tolist(), dim=1)
    return torch.stack([band.logsumexp(dim=1) for band in bands], dim=1)
