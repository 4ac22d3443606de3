"""The training loss of a network: the weighted sum of the losses of its heads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.data.sampling import Sampler
from model.data.table import Table
from model.errors import InputError, listing
from model.network.heads import Head, Heads
from model.settings.train import TrainSettings
from model.training.cross_entropy import Loss
from model.training.decision import post_hoc_tau
from model.training.distributions import DistributionLoss
from model.training.learned_numbers import learned_numbers
from model.training.losses import LossContext, make_loss
from model.training.prior_correction import double_correction, post_hoc_correction
from model.training.targets import Targets


class Criterion(nn.Module):
    """The sum of the losses of all heads, each multiplied by its loss_weight.

    The loss of an optional attribute is computed on the images that have a label. Weights of images count only in
    training mode, not in `eval()`, and so do penalties such as that of elr.

    Args:
        settings: Loss, class weights and their settings, for all heads or by head.
        heads: The heads of the network.
        table: Training images; their class counts determine the class weights.
        sampler: Draws the training images.

    Attributes:
        warnings: One for each loss that corrects the class prior although the sampler corrects it already, and for each
            whose training together with decision_args corrects it more than once.

    Raises:
        InputError: If a loss cannot be made; names its head if there are several.
    """

    def __init__(self, settings: TrainSettings, heads: Heads, table: Table, sampler: Sampler):
        super().__init__()
        self.heads = heads
        contexts = _loss_contexts(settings, heads, table, sampler)
        self.losses = nn.ModuleList()
        for head, context in zip(heads.heads, contexts):
            try:
                self.losses.append(make_loss(context) if head.bins is None else _number_loss(head, context))
            except InputError as error:
                raise InputError(f"head {head.name}: {error}" if len(contexts) > 1 else str(error)) from None
        if table.weights is not None:
            _check_weights(table.weights, self.losses, contexts)
        optional = {attribute.name for attribute in heads.scheme.attributes if attribute.optional}
        self.masked = [not optional.isdisjoint(head.attributes) for head in heads.heads]
        self.loss_weights = [context.head.loss_weight for context in contexts]
        tau = post_hoc_tau(settings) or 0.0
        warnings = dict.fromkeys(
            warning
            for context in contexts
            for warning in (double_correction(context, sampler.corrects), post_hoc_correction(context, tau))
        )
        self.warnings = [warning for warning in warnings if warning is not None]

    def forward(
        self, logits: torch.Tensor, targets: Targets, partner: torch.Tensor | None = None, own: float = 1.0
    ) -> torch.Tensor:
        """Returns the loss, a scalar.

        Args:
            logits: Logits of all heads, (N, outputs).
            targets: Targets of the N images.
            partner: Index of the image that each image was mixed with, int64 (N,); None without mixup or cutmix.
            own: Weight of an image's own target when images are mixed; its partner's has weight 1 - own.
        """
        total = torch.zeros((), device=logits.device)
        distributions = targets.distributions or [None] * len(self.losses)
        image_weights = targets.weights if self.training else None
        mixed = partner is not None and own < 1
        share: torch.Tensor | float = own
        if mixed and image_weights is not None:
            image_weights, share = _mixed_weights(image_weights, image_weights[partner], own)
        parts = zip(
            self.heads.heads,
            self.losses,
            self.loss_weights,
            self.masked,
            self.heads.split(logits),
            targets.classes,
            distributions,
        )
        for head, loss, loss_weight, is_masked, head_logits, target, soft in parts:
            # rows with a label
            present, weights, penalty = target >= 0, image_weights, None
            if self.training and isinstance(loss, Loss):
                penalty = loss.penalty(head_logits, targets.rows, partner if mixed else None, own)
            # mixed images have soft targets; both images need a label
            if partner is not None and mixed:
                present = present & present[partner]
                if soft is None:
                    soft = torch.nn.functional.one_hot(target.clamp_min(0), head.classes).float()
                soft = soft * share + soft[partner] * (1 - share)
            target = target if soft is None else soft
            # an optional attribute has the loss of the rows with a label
            if is_masked:
                head_logits, target = head_logits[present], target[present]
                weights = None if weights is None else weights[present]
                penalty = None if penalty is None else penalty[present]
                if not len(target):
                    total = total + 0 * logits.sum()  # gradients of 0, as every process must have gradients to average
                    continue
            further = {"image_weights": weights, "penalty": penalty}
            given = {name: values for name, values in further.items() if values is not None}
            total = total + loss_weight * loss(head_logits, target, **given)
        return total


def _number_loss(head: Head, context: LossContext) -> DistributionLoss:
    """The loss of a head that learns the distribution of a number."""
    assert head.bins is not None
    weight = learned_numbers(context.settings)[head.name].weight
    return DistributionLoss(head.bins, weight, context.class_weights)


def _mixed_weights(weights: torch.Tensor, others: torch.Tensor, own: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of mixed images, (N,), and the share of an image's own target, (N, 1).

    Each target counts by its share times the weight of its image: the target of a partner with weight 0 is ignored.

    Args:
        weights: Weight of each image, (N,).
        others: Weight of each image's partner, (N,).
        own: Share of the own image.
    """
    both = own * weights + (1 - own) * others
    share = torch.where(both > 0, own * weights / both.clamp_min(torch.finfo(both.dtype).tiny), own)
    return both, share[:, None]


def _check_weights(weights: NDArray[np.float64], losses: Iterable[nn.Module], contexts: Iterable[LossContext]) -> None:
    """Raises InputError if no image has a weight above 0, or a loss takes no weights of images."""
    if not weights.any():
        raise InputError("weight_column: every training image has weight 0")
    without = [context.head.loss for loss, context in zip(losses, contexts) if not isinstance(loss, Loss)]
    if without:
        raise InputError(f"weight_column: loss {listing(dict.fromkeys(without))} takes no weights of images")


def _loss_contexts(settings: TrainSettings, heads: Heads, table: Table, sampler: Sampler) -> list[LossContext]:
    """The LossContext of each head."""
    strata = table.strata()
    drawn_shares = sampler.class_shares(len(strata))
    contexts = []
    for head, stratum_classes, targets in zip(
        heads.heads, heads.targets(strata.codes), Targets.of(heads, table).classes
    ):
        present = targets[targets >= 0].numpy()
        if not len(present):
            raise InputError(f"attribute {head.name}: no training image has a label")
        counts = np.bincount(present, minlength=head.classes)
        labelled = stratum_classes >= 0
        shares = np.bincount(stratum_classes[labelled], drawn_shares[labelled], head.classes).astype(np.float64)
        if not labelled.all():
            shares /= shares.sum()  # among the images that have a label
        own = settings.head(head.name)
        if head.bins is not None:  # its class weights act like those of cross entropy
            own = replace(own, loss="cross_entropy", loss_args={})
        contexts.append(LossContext(settings, own, counts, shares, sampler.corrects, len(table)))
    return contexts
