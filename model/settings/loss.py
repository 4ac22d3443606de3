"""The settings of the sampling and the loss of a training. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.settings.choices import CLASS_WEIGHTS, LOSSES, SAMPLERS
from model.settings.fields import setting
from model.settings.nested import arguments


@dataclass(frozen=True)
class HeadSettings:
    """The settings that `heads` may contain for one attribute; the others are those of TrainSettings."""

    loss_weight: float = setting(1.0, "Weight of the head's loss in the sum", low=0)
    loss: str = setting("focal", "Training loss", choices=LOSSES)
    loss_args: dict[str, Any] = setting({}, "Further arguments of the loss", nested=arguments)
    class_weights: str = setting("inverse", "Class weights of the loss", choices=CLASS_WEIGHTS)
    class_weight_values: list[float] = setting([], "One weight per class, used with --class_weights given", low=0)


@dataclass(frozen=True)
class LossSettings:
    """How images are sampled, and the loss: the settings that decide how rare classes are learned."""

    sampler: str = setting(
        "sqrt",
        "How images are sampled for an epoch; imbalanced: all classes equally often, sqrt: halfway between "
        "imbalanced and none, none: every image once",
        choices=SAMPLERS,
        section="Sampling and loss",
        common=True,
    )
    sampler_strength: float | None = setting(
        None,
        "How much the sampler balances the classes: a class is drawn in proportion to share^(1 - strength). "
        "1: all classes equally often, 0: as often as they occur",
        unset="1 for imbalanced, 0.5 for sqrt, 0 for none",
        low=0,
        high=1,
    )
    loss: str = setting(
        "focal",
        "Training loss: focal, cross_entropy, label_smoothing, logit_adjustment (cross entropy that corrects the class "
        "prior that the sampler leaves), elr (early-learning regularisation, against wrong labels), f1 (1 - macro F1 "
        "of the batch) or bce (binary cross entropy, for an attribute with two values)",
        choices=LOSSES,
    )
    loss_args: dict[str, Any] = setting(
        {},
        "Further arguments of the loss, such as {gamma: 1.5}, {tau: 0.5} for logit_adjustment or {strength: 3, beta: "
        "0.7} for elr; ignored for an attribute that has another loss in `heads`",
        nested=arguments,
    )
    focal_gamma: float = setting(2.0, "Focusing parameter gamma of the focal loss; 0: cross entropy", low=0)
    label_smoothing: float = setting(
        0.1,
        "For loss label_smoothing: the share of the target probability that is spread over all classes",
        low=0,
        high=0.99,
    )
    class_weights: str = setting(
        "inverse",
        "Class weights of the loss: none, inverse (1 / class count), effective (1 / effective number of "
        "samples, CVPR 2019) or given (those in class_weight_values); losses f1 and logit_adjustment ignore them",
        choices=CLASS_WEIGHTS,
    )
    class_weights_strength: float = setting(
        0.25,
        "Exponent of the inverse and effective class weights, from 0 (no weights) to 1 (full weights); the "
        "sum of this and sampler_strength should be at most 1",
        low=0,
        high=1,
    )
    class_weight_values: list[float] = setting([], "One weight per class, used with --class_weights given", low=0)
    effective_beta: float = setting(
        0.999,
        "Parameter beta of --class_weights effective, where n images count as (1 - beta^n) / (1 - beta)",
        low=0,
        high=1,
    )

    def sampling_contradictions(self) -> Iterator[str]:
        if self.sampler == "none" and self.sampler_strength:
            yield f"sampler none requires sampler_strength 0, not {self.sampler_strength:g}"
        if self.class_weights == "given" and not self.class_weight_values:
            yield "--class_weights given requires class_weight_values: one weight per class"
        if self.class_weight_values and self.class_weights != "given":
            yield f"class_weight_values is used only with --class_weights given, not {self.class_weights}"
