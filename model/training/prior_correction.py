"""Warnings about class priors that are corrected more than once: by sampler, loss and decision together."""

from __future__ import annotations

from model.training.class_weights import corrected_share
from model.training.losses import LossContext, loss_type

ROUNDING = 1e-9  # sums of strengths that are 1 except for rounding do not exceed 1


def double_correction(context: LossContext, sampler: float) -> str | None:
    """A warning if sampler and loss together correct the class prior more than once, otherwise None.

    Args:
        context: Context of the loss.
        sampler: Share of the class prior that the sampler corrects.
    """
    loss, share = loss_type(context.head.loss), _corrected_by_loss(context)
    kind, strength = context.head.class_weights, context.settings.class_weights_strength
    if loss.corrects is None:
        what = f"the class weights ({kind}, strength {strength:g})"
        remedy = "choose sampler_strength and class_weights_strength with a sum of at most 1, or set sampler or "
        remedy += "class_weights to none"
    else:
        what = f"the loss ({context.head.loss}, strength {share:g})"
        remedy = loss.remedy
    together = sampler + share
    if not sampler or together <= 1 + ROUNDING:
        return None
    return (
        f"the sampler (strength {sampler:g}) and {what} both compensate for class imbalance, in total {together:g} "
        f"times as much as needed: rare classes are then predicted too often, which lowers accuracy and F1; {remedy}"
    )


def post_hoc_correction(context: LossContext, tau: float) -> str | None:
    """A warning if training and the decision together correct the class prior more than once, otherwise None.

    Args:
        context: Context of the loss.
        tau: Argument of decision_args; 0 without it.
    """
    in_training = context.sampler_corrects + _corrected_by_loss(context)
    if not tau or in_training + tau <= 1 + ROUNDING:
        return None
    return (
        f"sampler and loss compensate for class imbalance with strength {in_training:g}, and decision_args does so "
        f"again with tau {tau:g}: rare classes are then predicted too often, which lowers accuracy and F1; set tau to "
        f"at most {max(0.0, 1 - in_training):g}, or sampler and class_weights to none"
    )


def _corrected_by_loss(context: LossContext) -> float:
    """Share of the class prior that the loss, or its class weights, correct."""
    corrects = loss_type(context.head.loss).corrects
    if corrects is None:
        return corrected_share(context.head.class_weights, context.settings.class_weights_strength)
    return corrects(context)
