"""The training loss of a network: the weighted sum of the losses of its heads."""

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
    """A setting of a head: its own in the setting `heads`, otherwise the common one."""
    return settings.heads.get(head, {}).get(name, getattr(settings, name))


def head_targets(heads: Heads, table: Table) -> list[torch.Tensor]:
    """The classes of a table's rows for each head, int64 (n,) each."""
    codes = {name: table.labels[name].to_numpy() for name in heads.scheme.names}
    return [torch.from_numpy(np.array(targets, np.int64)) for targets in heads.targets(codes)]


class Criterion(nn.Module):
    """The sum of the heads' losses, each times its loss_weight.

    Args:
        settings: Loss, class weights and their settings, for all heads or by head.
        heads: The heads of the network.
        table: Training pictures, whose class counts give the class weights.

    Raises:
        InputError: If the setting `heads` names an attribute that has no head.
    """

    def __init__(self, settings: TrainSettings, heads: Heads, table: Table):
        super().__init__()
        names = [head.name for head in heads.heads]
        unknown = [f"{name!r}{did_you_mean(name, names)}" for name in settings.heads if name not in names]
        if unknown:
            raise InputError(f"heads: there is no attribute {listing(unknown)}; expected {listing(names)}")
        self.heads = heads
        self.losses = nn.ModuleList()
        self.loss_weights: list[float] = []
        joint_classes = heads.scheme.num_classes
        drawn_shares = expected_class_shares(table.classes(), settings.sampler_power, joint_classes)
        codes = heads.scheme.split(np.arange(joint_classes))
        for head, targets in zip(heads.heads, head_targets(heads, table)):
            head_classes = heads.head_scheme(head).joint(codes)  # the head's class of each joint class
            weight = class_weights(
                str(head_setting(settings, head.name, "class_weights")),
                np.bincount(targets.numpy(), minlength=head.classes),
                np.bincount(head_classes, weights=drawn_shares, minlength=head.classes),
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
        """The loss, a scalar.

        Args:
            logits: (N, outputs), of all heads.
            targets: Classes of each head, int64 (N,) each.
            partner: Index of the picture that each was mixed with, int64 (N,); None without mixup or cutmix.
            own: Share of each picture's own target where pictures were mixed.
        """
        total = torch.zeros((), device=logits.device)
        for head, loss, weight, head_logits, target in zip(
            self.heads.heads, self.losses, self.loss_weights, self.heads.split(logits), targets
        ):
            if partner is not None and own < 1:
                one_hot = torch.nn.functional.one_hot(target, head.classes).float()
                target = one_hot * own + one_hot[partner] * (1 - own)
            total = total + weight * loss(head_logits, target)
        return total
