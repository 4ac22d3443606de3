"""The settings of train.py. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from model.metrics.epoch_metrics import CRITERIA
from model.settings.aliases import TRAIN_PY, settings_by_alias
from model.settings.channel import ChannelSettings
from model.settings.choices import (
    DECISIONS,
    IMAGES,
    METADATA,
    PATHS,
    PRECISIONS,
    THUMBNAILS,
)
from model.settings.fields import setting
from model.settings.fusion import FusionSettings
from model.settings.loss import HeadSettings, LossSettings
from model.settings.nested import arguments, names_by_attribute, settings_by_attribute
from model.settings.network import NetworkSettings
from model.settings.numbers import number_contradictions


@dataclass(frozen=True)
class TrainSettings(ChannelSettings, NetworkSettings, FusionSettings, LossSettings):
    """All settings of a training, in the sections and the order of --help-all."""

    MAIN_INPUT: ClassVar[str] = "train_dir"
    ALIASES: ClassVar[Mapping[str, str]] = settings_by_alias(TRAIN_PY)
    # the other sections follow
    SECTIONS: ClassVar[tuple[str, ...]] = (PATHS, "Data", "Target", "Sampling and loss", "Network", IMAGES, METADATA)

    # Inputs, outputs and checkpoints
    config: str | None = setting(
        None,
        "Experiment file: a YAML file with settings",
        unset="config.yaml, if it exists",
        result=False,
        section=PATHS,
        common=True,
        placeholder="FILE",
    )
    name: str = setting("exp", "Name of the run and of its folder in model_dir", result=False, common=True)
    train_dir: str | None = setting(
        None, "Folder with the training images and their labels", unset="SM_CHANNEL_TRAIN", result=False, common=True
    )
    validation_dir: str | None = setting(
        None,
        "Folder with the validation images and their labels",
        unset="SM_CHANNEL_VALIDATION or a part of train_dir",
        result=False,
        common=True,
    )
    model_dir: str | None = setting(
        None, "Folder to save the run in", unset="SM_MODEL_DIR or runs", result=False, common=True
    )
    eval_dir: str | None = setting(
        None,
        "Default folder of images for inference; the path is saved with the model",
        result=False,
    )
    output_data_dir: str | None = setting(
        None,
        "Folder to write the split and the report into",
        unset="SM_OUTPUT_DATA_DIR or next to the model",
        result=False,
    )
    checkpoint_dir: str | None = setting(
        None,
        "Folder of the checkpoints of unfinished runs",
        unset="the checkpoint folder of SageMaker, otherwise .checkpoints in model_dir",
        result=False,
    )
    checkpoint_seconds: float = setting(
        300.0,
        "Time between checkpoints within an epoch; a checkpoint is also written at the end of each epoch",
        unit="seconds",
        low=0,
        result=False,
    )
    resume: str = setting(
        "auto",
        "What to do with an unfinished run of the same name; auto: resume it, never: restart from scratch",
        choices=("auto", "never"),
        result=False,
    )

    check_only: bool = setting(
        False,
        "Check the data and print its labels and split, without training",
        result=False,
        common=True,
    )

    # Target: what is predicted
    target: str = setting(
        "joint",
        "What to predict if there are several attributes: joint (one class per combination of their values), "
        "heads (one head per attribute), separate (one model per attribute) or the name of a single attribute",
        section="Target",
        common=True,
    )
    num_classes: int = setting(
        0,
        "Expected number of classes; a different number in the data is an error. Integer labels are then "
        "read as 0 to N-1, even if some do not occur. 0: no check",
        low=0,
    )
    heads: dict[str, Any] = setting(
        {},
        "With --target heads: settings for single attributes, such as {age: {loss_weight: 2, loss: focal, "
        "class_weights: inverse}}",
        nested=settings_by_attribute(HeadSettings),
    )
    separate: dict[str, Any] = setting(
        {},
        "With --target separate: settings for single attributes, such as {age: {model: resnet34, epochs: 20}}",
        nested=names_by_attribute,
    )
    age_sigma: float = setting(
        0.0,
        "Learn the age of the mask scheme as a distribution with this standard deviation around the age of each image, "
        "such as 5; 0: learn the age bands as classes. For other attributes, write `learn: distribution` in attributes",
        unit="years",
        low=0,
    )
    decision: str = setting(
        "argmax",
        "Rule that chooses the predicted class; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in DECISIONS.items()),
        choices=DECISIONS,
    )
    decision_args: dict[str, Any] = setting(
        {},
        "Arguments of the decision, such as {temperature: 1.5, biases: [0, 0.7]}; biases has one number per class. "
        "{tau: 1} subtracts tau log(class share among the training images) from the biases (logit adjustment after "
        "training)",
        nested=arguments,
    )
    fit_decision: bool = setting(
        False,
        "After training, fit the decision to the predictions for held-out images: class biases for macro F1 (for gmean "
        "if that is best_criterion), or with promise, when to ask a person; saved as decision.json",
        result=False,
    )
    promise: float | None = setting(
        None,
        "With fit_decision: largest share of wrong answers for each predicted class, such as 0.1; a person is asked "
        "about images that would exceed it",
        unset="no person is asked",
        low=0,
        high=1,
        result=False,
    )

    # Loop: epochs, learning rate, averaging, early stopping
    epochs: int = setting(
        10, "Number of passes over the training images; 0: save the untrained model", low=0, section="Loop", common=True
    )
    batch_size: int = setting(64, "Images per forward pass, in all processes together", low=1, common=True)
    accumulate: int = setting(1, "Number of forward passes per optimiser step (gradient accumulation)", low=1)
    lr: float = setting(1e-3, "Maximum learning rate", low=0, common=True)
    layer_decay: float = setting(
        1.0,
        "Factor of the learning rate from each block of the backbone to the block before it, such as 0.75: early "
        "blocks then change less. 1: the same rate everywhere",
        low=0.01,
        high=1,
    )
    optimizer: str = setting("adamw", "Optimiser: the name of any timm optimiser (adamw, sgd, madgrad, lamb, ...)")
    optimizer_args: dict[str, Any] = setting(
        {}, "Further arguments of the optimiser, such as {momentum: 0.9}", nested=arguments
    )
    weight_decay: float = setting(0.05, "Weight decay; biases and normalisation layers have none", low=0)
    scheduler: str = setting(
        "cosine",
        "Learning rate schedule: cosine, tanh, step, multistep or poly (of timm), the class name of a "
        "scheduler of torch (StepLR, CyclicLR, OneCycleLR, ...), or none",
    )
    scheduler_args: dict[str, Any] = setting(
        {}, "Further arguments of the schedule, such as {step_size: 3, gamma: 0.5}", nested=arguments
    )
    warmup_epochs: float = setting(
        1.0, "Number of epochs in which timm's schedules raise the learning rate from nearly 0; 0: no warm-up", low=0
    )
    clip_grad: float = setting(0.0, "Maximum gradient norm; 0: no clipping", low=0)
    ema: float = setting(
        0.0,
        "Decay per step of an exponential moving average of the weights; the averaged weights are validated "
        "and saved. 0: no average",
        low=0,
        high=0.99999,
    )
    keep_epochs: int = setting(
        0,
        "Number of last epochs whose weights are also saved, for `python -m model average`; each file is as large as "
        "the model. 0: only the weights of the best epoch are saved",
        low=0,
        result=False,
    )
    best_criterion: str = setting(
        "f1", "Validation score that selects the epoch whose weights are saved", choices=CRITERIA
    )
    early_stopping: int = setting(
        0, "Stop the training after this many epochs without a better validation score; 0: never", low=0
    )
    seed: int = setting(0, "Random seed", low=0, common=True)

    # Machine: hardware and processes
    precision: str = setting(
        "auto",
        "Floating-point format; auto: bf16 if the hardware supports it well, fp16 on older GPUs, otherwise fp32",
        choices=PRECISIONS,
        section="Machine",
    )
    device: str = setting("auto", "Device: auto, cpu, cuda or cuda:N", common=True)
    channels_last: bool = setting(True, "Use the memory layout channels_last, which makes most convolutions faster")
    compile: bool = setting(False, "Compile the network with torch.compile")
    num_workers: int = setting(
        -1,
        "Number of processes that read images; 0: images are read in the main process, -1: chosen by the "
        "number of CPU cores",
        low=-1,
        result=False,
        common=True,
    )
    processes_per_host: int = setting(
        0,
        "Number of training processes per host that the container starts; 0: one per GPU, or one if there is no GPU",
        low=0,
        result=False,
    )

    # Tracking: log and report
    log_interval: int = setting(
        0,
        "Log the loss every N optimiser steps; 0: only at the end of each epoch",
        low=0,
        result=False,
        section="Tracking",
    )
    tracking: str = setting(
        "auto",
        "Where training curves are recorded. auto: in TensorBoard event files next to the split, and also at "
        "Weights & Biases if WANDB_API_KEY is set or WANDB_MODE is offline; "
        "tensorboard: only in event files; none: nowhere",
        choices=("auto", "tensorboard", "none"),
        result=False,
    )
    report: bool = setting(
        True,
        "Predict the validation images with the saved model and write report.html with the scores",
        result=False,
    )
    training_dynamics: bool = setting(
        False,
        "Write training_dynamics.csv next to the split: mean and standard deviation over the epochs of the probability "
        "of each training image's given label; a low mean suggests a wrong label",
        result=False,
    )
    thumbnails: str = setting(
        "auto",
        "How images are shown in the report, TensorBoard and Weights & Biases; none: only names and labels, "
        "blurred: reduced to at most 8 pixels per side, full: thumbnails, auto: none at "
        "Weights & Biases, full otherwise",
        choices=("auto", *THUMBNAILS),
        result=False,
    )
    wandb_project: str | None = setting(
        None, "Project at Weights & Biases", unset="WANDB_PROJECT or rarebird", result=False
    )
    wandb_entity: str | None = setting(None, "User or team at Weights & Biases", unset="WANDB_ENTITY", result=False)

    def head(self, name: str) -> HeadSettings:
        """The settings of a head: its own ones in `heads`, otherwise those of the training. A head with another loss
        does not use the loss_args of the training."""
        own = self.heads.get(name, {})
        common = {field.name: getattr(self, field.name) for field in fields(HeadSettings) if hasattr(self, field.name)}
        if own.get("loss", self.loss) != self.loss:
            common["loss_args"] = {}
        return HeadSettings(**{**common, **own})

    def thumbnails_or(self, automatic: str) -> str:
        """The setting `thumbnails`, an entry of THUMBNAILS. automatic: what `auto` means."""
        return automatic if self.thumbnails == "auto" else self.thumbnails

    def contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between settings."""
        yield from self.sampling_contradictions()
        yield from self.network_contradictions()
        yield from self.image_contradictions()
        yield from self.fusion_contradictions(self.metadata_columns)
        yield from self._target_contradictions()
        yield from number_contradictions(self.attributes, self.age_sigma, self.target, self.heads)
        yield from self._decision_contradictions()
        yield from self.reading_contradictions()
        yield from self.split_contradictions()
        if self.pixel_range and not (len(self.pixel_range) == 2 and self.pixel_range[0] < self.pixel_range[1]):
            yield f"pixel_range must be two increasing numbers, not {self.pixel_range}"
        if not self.name or "/" in self.name or self.name.startswith("."):
            yield f"name {self.name!r} must be the name of a folder: without / and not starting with a dot"

    def _target_contradictions(self) -> Iterator[str]:
        if sorted(set(self.age_cuts)) != self.age_cuts or not self.age_cuts:
            yield f"age_cuts must be increasing numbers, not {self.age_cuts}"
        if self.attributes and self.age_cuts != [30.0, 60.0]:
            yield "age_cuts is used only with the mask scheme; if you set attributes, write `cuts` under the attribute"
        if self.heads and self.target != "heads":
            yield f"heads is used only with --target heads, not {self.target}"
        if self.separate and self.target != "separate":
            yield f"separate is used only with --target separate, not {self.target}"
        if self.folds and self.validation_groups:
            yield "folds and validation_groups both choose the held-out images; set only one of them"
        if self.folds == 1:
            yield "folds must be 0 (one model) or at least 2, not 1"

    def _decision_contradictions(self) -> Iterator[str]:
        if self.promise is not None and not self.fit_decision:
            yield "promise is used only with fit_decision true"
        if self.promise is not None and not 0 < self.promise < 1:
            yield f"promise must be above 0 and below 1, not {self.promise:g}"
        if self.fit_decision and (self.decision != "argmax" or self.decision_args):
            yield "fit_decision chooses the decision; do not set decision or decision_args"
        if self.fit_decision and not self.report:
            yield "fit_decision needs report true, which predicts the held-out images"
