"""The settings of train.py. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from model.metrics.epoch_metrics import CRITERIA
from model.settings.channel import ChannelSettings
from model.settings.choices import (
    CLASS_WEIGHTS,
    DECISIONS,
    FITS,
    IMAGES,
    INTERPOLATIONS,
    LOSSES,
    PATHS,
    PRECISIONS,
    SAMPLERS,
    THUMBNAILS,
)
from model.settings.fields import setting
from model.settings.nested import arguments, named_arguments, names_by_attribute, settings_by_attribute


@dataclass(frozen=True)
class HeadSettings:
    """The settings that `heads` may contain for one attribute; the others are those of TrainSettings."""

    loss_weight: float = setting(1.0, "Weight of the head's loss in the sum", low=0)
    loss: str = setting("focal", "Training loss", choices=LOSSES)
    loss_args: dict[str, Any] = setting({}, "Further arguments of the loss", nested=arguments)
    class_weights: str = setting("inverse", "Class weights of the loss", choices=CLASS_WEIGHTS)
    class_weight_values: list[float] = setting([], "One weight per class, for class_weights given", low=0)


@dataclass(frozen=True)
class TrainSettings(ChannelSettings):
    """All settings of a training, in the sections and the order of --help-all."""

    MAIN_INPUT: ClassVar[str] = "train_dir"
    SECTIONS: ClassVar[tuple[str, ...]] = (PATHS, "Data")  # the others follow in the order of their fields

    # Inputs, outputs and checkpoints
    config: str | None = setting(
        None,
        "Experiment file (YAML) with settings by name",
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
        unset="SageMaker's or .checkpoints in model_dir",
        result=False,
    )
    checkpoint_seconds: float = setting(
        300.0,
        "Time between checkpoints within an epoch; another is written after each epoch",
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
        "What to predict if there are several attributes: joint (their combination), heads (each with its own head), "
        "separate (each with its own model) or the name of one",
        section="Target",
        common=True,
    )
    num_classes: int = setting(
        0,
        "Number of classes that the target must have, as a check. Integer labels are then 0 to N-1, even if some do "
        "not occur; 0: no check",
        low=0,
    )
    heads: dict[str, Any] = setting(
        {},
        "Settings by attribute for target heads: {age: {loss_weight: 2, loss: focal, class_weights: inverse}}",
        nested=settings_by_attribute(HeadSettings),
    )
    separate: dict[str, Any] = setting(
        {},
        "Settings by attribute for target separate: {age: {model: resnet34, epochs: 20}}",
        nested=names_by_attribute,
    )
    decision: str = setting(
        "argmax",
        "Rule that chooses the predicted class; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in DECISIONS.items()),
        choices=DECISIONS,
    )
    decision_args: dict[str, Any] = setting(
        {},
        "Arguments of the decision, with one bias per class: {temperature: 1.5, biases: [0, 0.7]}",
        nested=arguments,
    )

    # Rare classes: sampling, loss and class weights
    sampler: str = setting(
        "sqrt",
        "Sampling of an epoch; imbalanced: all classes equally often, sqrt: halfway, none: every image once",
        choices=SAMPLERS,
        section="Sampling and loss",
        common=True,
    )
    sampler_strength: float | None = setting(
        None,
        "A class is drawn in proportion to share^(1 - strength): 1 draws all classes equally often, 0 as often as they "
        "occur",
        unset="that of the sampler",
        low=0,
        high=1,
    )
    loss: str = setting(
        "focal",
        "Training loss; bce is for an attribute of two values",
        choices=LOSSES,
    )
    loss_args: dict[str, Any] = setting(
        {},
        "Further arguments of the loss: {gamma: 1.5}; not used by a head that has another loss in `heads`",
        nested=arguments,
    )
    focal_gamma: float = setting(2.0, "Focusing parameter of the focal loss; 0 is cross entropy", low=0)
    label_smoothing: float = setting(
        0.1, "Share of the target that loss label_smoothing spreads over all classes", low=0, high=0.99
    )
    class_weights: str = setting(
        "inverse",
        "Class weights of the loss: none, inverse (of the class counts), effective (of the effective number of "
        "samples, CVPR 2019) or given; loss f1 ignores them",
        choices=CLASS_WEIGHTS,
    )
    class_weights_strength: float = setting(
        0.25,
        "Exponent of inverse and effective weights, from 0 (no weights) to 1 (full weights); together with the "
        "sampler's strength it should be at most 1",
        low=0,
        high=1,
    )
    class_weight_values: list[float] = setting([], "One weight per class, for class_weights given", low=0)
    effective_beta: float = setting(
        0.999, "Parameter beta of the effective number (1 - beta^n) / (1 - beta)", low=0, high=1
    )

    # Network: backbone, its initial weights, classifier, frozen parts
    model: str = setting("resnet18", "Backbone: the name of any timm model", section="Network", common=True)
    model_args: dict[str, Any] = setting({}, "Further arguments of the backbone in timm", nested=arguments)
    pretrained: bool = setting(
        True, "Start from timm's ImageNet weights, which are downloaded if they are not cached", common=True
    )
    weights: str | None = setting(
        None,
        "Start from these weights instead: a .safetensors or .pth file, or a saved model (folder or archive). The "
        "classifier is matched by class names; one of another shape is skipped",
        placeholder="PATH",
    )
    hidden_layers: list[int] = setting([], "Widths of hidden layers between the backbone and the classifier", low=1)
    dropout: float = setting(0.0, "Dropout before each layer of the classifier", low=0, high=0.99)
    drop_path: float = setting(0.0, "Stochastic depth of the backbone, if it supports it", low=0, high=0.99)
    freeze: list[str] = setting(
        [], "Parts that are not trained: backbone, or prefixes of the names of its parameters (layer1 conv_stem)"
    )
    freeze_epochs: int = setting(0, "Epochs after which the frozen parts are trained too; 0: never", low=0)
    freeze_norm: bool = setting(False, "Keep the batch-norm statistics of the backbone")

    # Images: preprocessing and augmentation
    input_size: list[int] = setting(
        [],
        "Height and width of the network's input",
        unset="that of the backbone",
        unit="pixels",
        low=8,
        section=IMAGES,
        common=True,
    )
    channels: int = setting(3, "Colour channels: 3 (colour) or 1 (grey)", low=1, high=3)
    fit: str = setting(
        "crop",
        "How an image of another shape is fitted: crop (scale, then keep the centre), stretch or pad",
        choices=FITS,
    )
    crop_pct: float = setting(
        1.0,
        "Share of the height and width that prediction keeps, around the centre; below 1, objects appear as large as "
        "in the random crops of training",
        low=0.1,
        high=1,
    )
    interpolation: str = setting("bilinear", "Interpolation for resizing", choices=INTERPOLATIONS)
    normalisation: str = setting(
        "backbone",
        "Mean and standard deviation of the pixels: backbone (those it was trained with), given (mean and std) or "
        "picture (each image's own)",
        choices=("backbone", "given", "picture"),
    )
    mean: list[float] = setting([], "Mean per channel of pixels from 0 to 1, for normalisation given")
    std: list[float] = setting(
        [], "Standard deviation per channel of pixels from 0 to 1, for normalisation given", low=1e-6
    )
    augmentation: dict[str, dict[str, Any]] = setting(
        {"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}},
        "Random changes in order, with their arguments: flip, random_resized_crop, colour, randaugment, "
        "trivialaugment, erasing, mixup, cutmix, timm, or any transform of torchvision v2 by name; none",
        nested=named_arguments,
    )

    # Loop: epochs, learning rate, averaging, early stopping
    epochs: int = setting(
        10, "Passes over the training images; 0 saves the untrained model", low=0, section="Loop", common=True
    )
    batch_size: int = setting(64, "Images per forward pass, over all processes", low=1, common=True)
    accumulate: int = setting(1, "Forward passes per optimiser step", low=1)
    lr: float = setting(1e-3, "Highest learning rate", low=0, common=True)
    optimizer: str = setting("adamw", "Optimiser: the name of any timm optimiser (adamw, sgd, madgrad, lamb, ...)")
    optimizer_args: dict[str, Any] = setting(
        {}, "Further arguments of the optimiser: {momentum: 0.9}", nested=arguments
    )
    weight_decay: float = setting(0.05, "Weight decay (not of biases and norms)", low=0)
    scheduler: str = setting(
        "cosine",
        "Learning rate schedule: timm's cosine, tanh, step, multistep or poly, a scheduler of torch by class name "
        "(StepLR, CyclicLR, OneCycleLR, ...), or none",
    )
    scheduler_args: dict[str, Any] = setting(
        {}, "Further arguments of the schedule: {step_size: 3, gamma: 0.5}", nested=arguments
    )
    warmup_epochs: float = setting(1.0, "Epochs in which timm's schedules rise from nearly 0; 0: none", low=0)
    clip_grad: float = setting(0.0, "Largest gradient norm; 0: no clipping", low=0)
    ema: float = setting(
        0.0,
        "Decay per step of an exponential moving average of the weights, which is then scored and saved; 0: none",
        low=0,
        high=0.99999,
    )
    best_criterion: str = setting("f1", "Score of the validation images that selects the saved epoch", choices=CRITERIA)
    early_stopping: int = setting(0, "Epochs without a better score after which training stops; 0: never", low=0)
    seed: int = setting(0, "Random seed", low=0, common=True)

    # Machine: hardware and processes
    precision: str = setting(
        "auto",
        "Floating-point format; auto: bf16 if the hardware supports it well, fp16 on older GPUs, otherwise fp32",
        choices=PRECISIONS,
        section="Machine",
    )
    device: str = setting("auto", "Device: auto, cpu, cuda or cuda:N", common=True)
    channels_last: bool = setting(True, "Use the memory layout channels_last, in which most convolutions are faster")
    compile: bool = setting(False, "Compile the network with torch.compile")
    num_workers: int = setting(
        -1,
        "Processes that read images; 0: the job's own process, -1: by the number of cores",
        low=-1,
        result=False,
        common=True,
    )
    processes_per_host: int = setting(
        0,
        "Processes per host that train together, in the image; 0: one per GPU, or one without a GPU",
        low=0,
        result=False,
    )

    # Tracking: log and report
    log_interval: int = setting(
        0,
        "Log the loss every N optimiser steps within an epoch; 0: only after each epoch",
        low=0,
        result=False,
        section="Tracking",
    )
    tracking: str = setting(
        "auto",
        "auto: TensorBoard event files next to the split; also Weights & Biases, if WANDB_API_KEY is set or WANDB_MODE "
        "is offline. tensorboard: only the event files. none: neither",
        choices=("auto", "tensorboard", "none"),
        result=False,
    )
    report: bool = setting(
        True,
        "Predict the validation images with the saved model and write report.html with the scores",
        result=False,
    )
    thumbnails: str = setting(
        "auto",
        "Which images the report, TensorBoard and Weights & Biases contain. none: only names and labels. blurred: at "
        "most 8 pixels per side, too few for a face. full: thumbnails. auto: none at Weights & Biases, otherwise full",
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
        yield from self._sampling_contradictions()
        yield from self._image_contradictions()
        yield from self._target_contradictions()
        yield from self.table_contradictions()
        yield from self.folder_contradictions()
        if self.freeze_epochs and not self.freeze:
            yield "freeze_epochs requires freeze"
        if not self.name or "/" in self.name or self.name.startswith("."):
            yield f"name {self.name!r} must be the name of a folder: without / and not starting with a dot"

    def _sampling_contradictions(self) -> Iterator[str]:
        if self.sampler == "none" and self.sampler_strength:
            yield f"sampler none requires sampler_strength 0, not {self.sampler_strength:g}"
        if self.class_weights == "given" and not self.class_weight_values:
            yield "class_weights given needs class_weight_values, one weight per class"
        if self.class_weight_values and self.class_weights != "given":
            yield f"class_weight_values needs class_weights given, not {self.class_weights}"

    def _image_contradictions(self) -> Iterator[str]:
        if len(self.input_size) not in (0, 1, 2):
            yield f"input_size must be height and width, not {len(self.input_size)} numbers"
        if self.pixel_range and not (len(self.pixel_range) == 2 and self.pixel_range[0] < self.pixel_range[1]):
            yield f"pixel_range must be two increasing numbers, not {self.pixel_range}"
        if self.channels == 2:
            yield "channels must be 3 (colour) or 1 (grey), not 2"
        if self.normalisation == "given":
            for name in ("mean", "std"):
                if len(getattr(self, name)) != self.channels:
                    numbers = "1 number" if self.channels == 1 else f"{self.channels} numbers"
                    yield f"with normalisation given, {name} must be {numbers}"
        elif self.mean or self.std:
            yield f"mean and std are for normalisation given, not {self.normalisation}"

    def _target_contradictions(self) -> Iterator[str]:
        if sorted(set(self.age_cuts)) != self.age_cuts or not self.age_cuts:
            yield f"age_cuts must be increasing numbers, not {self.age_cuts}"
        if self.attributes and self.age_cuts != [30.0, 60.0]:
            yield "age_cuts is for the mask scheme only; with attributes, write `cuts` under the attribute"
        if self.heads and self.target != "heads":
            yield f"heads is for target heads, not {self.target}"
        if self.separate and self.target != "separate":
            yield f"separate is for target separate, not {self.target}"
        if self.folds and self.validation_groups:
            yield "folds and validation_groups both choose the held-out images; set only one of them"
        if self.folds == 1:
            yield "folds must be 0 (one model) or at least 2, not 1"
