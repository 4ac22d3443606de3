"""The training loss of a network with one head or several."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from model.data.sampling import expected_class_shares
from model.data.table import Table
from model.errors import InputError, did_you_mean, listing
from model.network.heads import Heads
from model.settings.train import TrainSettings
from model.training.losses import class_weights, make_loss


def head_setting(settings: TrainSettings, head: str, name: str) -> object:
    """A setting as it holds for a head: its own under `heads`, else that of all."""
    return settings.heads.get(head, {}).get(name, getattr(settings, name))


def head_targets(heads: Heads, table: Table) -> list[torch.Tensor]:
    """Each head's classes int64 (n,) of a table's rows."""
    codes = {name: table.labels[name].to_numpy() for name in heads.scheme.names}
    return [torch.from_numpy(np.array(targets, np.int64)) for targets in heads.targets(codes)]


class Criterion(nn.Module):
    """The sum of the heads' losses, each with its loss_weight; class weights are made from the training table."""

    def __init__(self, settings: TrainSettings, heads: Heads, table: Table):
        super().__init__()
        names = [head.name for head in heads.heads]
        unknown = [f"{name!r}{did_you_mean(name, names)}" for name in settings.heads if name not in names]
        if unknown:
            raise InputError(f"heads: there is no attribute {listing(unknown)}; expected {listing(names)}")
        self.heads = heads
        self.losses = nn.ModuleList()
        self.loss_weights: list[float] = []
        joint = heads.scheme.num_classes
        drawn = expected_class_shares(table.classes(), settings.sampler_power, joint)
        codes_of_joint = heads.scheme.split(np.arange(joint))
        for head, targets in zip(heads.heads, head_targets(heads, table)):
            class_of_joint = heads.head_scheme(head).joint(codes_of_joint)
            weight = class_weights(
                str(head_setting(settings, head.name, "class_weights")),
                np.bincount(targets.numpy(), minlength=head.classes),
                np.bincount(class_of_joint, weights=drawn, minlength=head.classes),
                settings.class_weights_strength,
                head_setting(settings, head.name, "class_weight_values"),  # type: ignore[arg-type]
                settings.effective_beta,
            )
            name = str(head_setting(settings, head.name, "loss"))
            self.losses.append(
                make_loss(name, gamma=settings.focal_gamma, smoothing=settings.label_smoothing, weight=weight)
            )
            self.loss_weights.append(float(settings.heads.get(head.name, {}).get("loss_weight", 1.0)))

    def forward(
        self, logits: torch.Tensor, targets: list[torch.Tensor], partner: torch.Tensor | None = None, own: float = 1.0
    ) -> torch.Tensor:
        """Scalar from the network's logits (N, outputs) and each head's classes int64 (N,). Where pictures were
        mixed: partner int64 (N,), and the share of each that is its own."""
        total = torch.zeros((), device=logits.device)
        for head, loss, weight, part, target in zip(
            self.heads.heads, self.losses, self.loss_weights, self.heads.split(logits), targets
        ):
            if partner is not None and own < 1:
                hot = torch.nn.functional.one_hot(target, head.classes).float()
                target = hot * own + hot[partner] * (1 - own)
            total = total + weight * loss(part, target)
        return total
