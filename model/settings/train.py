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
    INTERPOLATIONS,
    LOSSES,
    PRECISIONS,
    SAMPLERS,
    THUMBNAILS,
)
from model.settings.fields import setting
from model.settings.nested import arguments, named_arguments, names_by_attribute, settings_by_attribute


@dataclass(frozen=True)
class HeadSettings:
    """The settings that `heads` may hold for one attribute; the others are those of TrainSettings."""

    loss_weight: float = setting(1.0, "of the head's loss in the sum", low=0)
    loss: str = setting("focal", "training loss", choices=LOSSES)
    loss_args: dict[str, Any] = setting({}, "further arguments of the loss", nested=arguments)
    class_weights: str = setting("inverse", "weights of the loss", choices=CLASS_WEIGHTS)
    class_weight_values: list[float] = setting([], "a weight a class, for class_weights given", low=0)


@dataclass(frozen=True)
class TrainSettings(ChannelSettings):
    """All settings of a training, in the sections and the order of --help."""

    MAIN_INPUT: ClassVar[str] = "train_dir"
    SECTIONS: ClassVar[tuple[str, ...]] = ("Where things lie", "Data")  # the others follow in the order of their fields

    # Inputs, outputs and checkpoints
    config: str | None = setting(
        None, "experiment file (YAML) with settings by their names", result=False, section="Where things lie"
    )
    name: str = setting("exp", "name of the run: its folder in the model directory", result=False)
    train_dir: str | None = setting(None, "images and labels to learn from; else SM_CHANNEL_TRAIN", result=False)
    validation_dir: str | None = setting(
        None, "images and labels to choose by; else SM_CHANNEL_VALIDATION, else a part of train", result=False
    )
    model_dir: str | None = setting(None, "where the run's folder is made; else SM_MODEL_DIR, else runs", result=False)
    eval_dir: str | None = setting(
        None, "images that inference takes where nothing else is named; kept with the model", result=False
    )
    output_data_dir: str | None = setting(
        None, "where the split is told; else SM_OUTPUT_DATA_DIR, else beside the model", result=False
    )
    checkpoint_dir: str | None = setting(
        None, "where unfinished runs are kept; else SageMaker's, else .checkpoints in model_dir", result=False
    )
    checkpoint_seconds: float = setting(
        300.0,
        "time between checkpoints inside an epoch; one is written at each epoch's end too",
        unit="s",
        low=0,
        result=False,
    )
    resume: str = setting(
        "auto",
        "auto goes on with an unfinished run of the name; never begins it anew",
        choices=("auto", "never"),
        result=False,
    )

    check_only: bool = setting(
        False,
        "read and check the data, describe them and their split, and end; nothing is trained or saved",
        result=False,
    )

    # What is learnt
    target: str = setting(
        "joint",
        "what is learnt: joint (one head over the joint class), heads (one head an attribute, one backbone), separate "
        "(one model an attribute, which answer together) or an attribute's name",
        section="Target",
    )
    num_classes: int = setting(
        0,
        "classes that the target must have, as a check of the data; labels that are numbers below it are counted "
        "from 0 although some do not occur; 0: the classes that occur",
        low=0,
    )
    heads: dict[str, Any] = setting(
        {},
        "per attribute, for target heads: {age: {loss_weight: 2, loss: focal, class_weights: inverse}}",
        nested=settings_by_attribute(HeadSettings),
    )
    separate: dict[str, Any] = setting(
        {},
        "per attribute, for target separate: what its model is trained with, {age: {model: resnet34, epochs: 20}}",
        nested=names_by_attribute,
    )
    decision: str = setting(
        "argmax",
        "rule by which probabilities become the class that is answered, with target separate the joint class; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in DECISIONS.items()),
        choices=DECISIONS,
    )
    decision_args: dict[str, Any] = setting(
        {},
        "arguments of the decision: {temperature: 1.5, biases: [0, 0.7]}, a bias a class",
        nested=arguments,
    )

    # Rare classes: sampling, loss and class weights
    sampler: str = setting(
        "sqrt",
        "how an epoch is drawn: imbalanced (torchsampler's ImbalancedDatasetSampler), sqrt (the same at "
        "strength 0.5) or none (every image once)",
        choices=SAMPLERS,
        section="Sampling and loss",
    )
    sampler_strength: float | None = setting(
        None,
        "a class is drawn in proportion to its share to the power 1 - strength: 1 all classes equally often, "
        "0 as they come; none: what the sampler's name says",
        low=0,
        high=1,
    )
    loss: str = setting(
        "focal",
        "training loss; bce is for an attribute of two values and gives the head one output",
        choices=LOSSES,
    )
    loss_args: dict[str, Any] = setting(
        {},
        "further arguments of the loss: {gamma: 1.5}; a head with another loss in `heads` has none of them",
        nested=arguments,
    )
    focal_gamma: float = setting(2.0, "focusing of the focal loss; 0: cross entropy", low=0)
    label_smoothing: float = setting(
        0.1, "share of the target spread over all classes by loss label_smoothing", low=0, high=0.99
    )
    class_weights: str = setting(
        "inverse",
        "weights of the loss (f1 takes none): none, inverse (of class counts), effective (number of samples, CVPR "
        "2019) or given",
        choices=CLASS_WEIGHTS,
    )
    class_weights_strength: float = setting(
        0.25,
        "power to which inverse and effective weights are raised; 1: in full, 0: none; with the sampler's strength it "
        "should add up to at most 1",
        low=0,
        high=1,
    )
    class_weight_values: list[float] = setting([], "a weight a class, for class_weights given", low=0)
    effective_beta: float = setting(0.999, "beta of the effective number, (1 - beta^n) / (1 - beta)", low=0, high=1)

    # Backbone, its initial weights, classifier, frozen parts
    model: str = setting("resnet18", "backbone: any name of timm's", section="Network")
    model_args: dict[str, Any] = setting({}, "further arguments of the backbone, as timm takes them", nested=arguments)
    pretrained: bool = setting(True, "begin with timm's ImageNet weights, fetched where they are not cached")
    weights: str | None = setting(
        None,
        "begin with this instead: a .safetensors or .pth file, or a saved model's folder or archive, whose classifier "
        "rows are matched by class name; a classifier of another shape is left out",
    )
    hidden_layers: list[int] = setting([], "widths of hidden layers between backbone and classifier", low=1)
    dropout: float = setting(0.0, "dropout before each classifier layer", low=0, high=0.99)
    drop_path: float = setting(0.0, "stochastic depth of the backbone, where it has it", low=0, high=0.99)
    freeze: list[str] = setting(
        [], "parts that do not learn: backbone, or beginnings of the backbone's parameter names (layer1 conv_stem)"
    )
    freeze_epochs: int = setting(0, "epochs after which frozen parts learn too; 0: never", low=0)
    freeze_norm: bool = setting(False, "keep the backbone's batch-norm statistics as they are")

    # Preprocessing and augmentation
    input_size: list[int] = setting(
        [], "height and width that the network sees; else the backbone's own", unit="pixels", low=8, section="Pictures"
    )
    channels: int = setting(3, "3: colour, 1: grey", low=1, high=3)
    fit: str = setting(
        "crop",
        "how an image of another shape is fitted: crop (scaled, middle cut out), stretch or pad",
        choices=FITS,
    )
    crop_pct: float = setting(
        1.0,
        "share of a fitted image's sides that prediction sees, its middle; below 1 things have the size "
        "that random crops gave them",
        low=0.1,
        high=1,
    )
    interpolation: str = setting("bilinear", "resampling", choices=INTERPOLATIONS)
    normalisation: str = setting(
        "backbone",
        "pixel mean and deviation: the backbone's, given (mean, std), or each image's own",
        choices=("backbone", "given", "picture"),
    )
    mean: list[float] = setting([], "per channel, of pixels from 0 to 1, for normalisation given")
    std: list[float] = setting([], "per channel, of pixels from 0 to 1, for normalisation given", low=1e-6)
    augmentation: dict[str, dict[str, Any]] = setting(
        {"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}},
        "random changes with their arguments, in order: flip, random_resized_crop, colour, randaugment, "
        "trivialaugment, erasing, mixup, cutmix, timm, or a transform of torchvision v2 by name; none",
        nested=named_arguments,
    )

    # Optimisation: epochs, learning rate, averaging, early stopping
    epochs: int = setting(10, "passes over the training images; 0 saves the initial model", low=0, section="Loop")
    batch_size: int = setting(64, "images of a forward pass, over all processes", low=1)
    accumulate: int = setting(1, "forward passes an optimiser step", low=1)
    lr: float = setting(1e-3, "learning rate at its height", low=0)
    optimizer: str = setting("adamw", "any optimiser of timm's by name (adamw, sgd, madgrad, lamb, ...)")
    optimizer_args: dict[str, Any] = setting(
        {}, "further arguments of the optimiser: {momentum: 0.9}", nested=arguments
    )
    weight_decay: float = setting(0.05, "L2 decay of weights (not of biases and norms)", low=0)
    scheduler: str = setting(
        "cosine",
        "learning rate over time: timm's cosine, tanh, step, multistep, poly, torch's by class "
        "name (StepLR, CyclicLR, OneCycleLR, ...), or none",
    )
    scheduler_args: dict[str, Any] = setting(
        {}, "further arguments of the scheduler: {step_size: 3, gamma: 0.5}", nested=arguments
    )
    warmup_epochs: float = setting(1.0, "epochs in which timm's schedules rise from nearly 0; 0: none", low=0)
    clip_grad: float = setting(0.0, "largest gradient norm; 0: not clipped", low=0)
    ema: float = setting(
        0.0,
        "decay per step of an average of the weights, which is then what is scored and saved; 0: none",
        low=0,
        high=0.99999,
    )
    best_criterion: str = setting(
        "f1", "score of the validation images by which the saved weights are chosen", choices=CRITERIA
    )
    early_stopping: int = setting(0, "epochs without a better score after which training ends; 0: never", low=0)
    seed: int = setting(0, "of everything random", low=0)

    # Hardware and processes
    precision: str = setting(
        "auto",
        "arithmetic; auto: bf16 where the hardware gains, fp16 on older GPUs, else fp32",
        choices=PRECISIONS,
        section="Machine",
    )
    device: str = setting("auto", "auto, cpu, cuda or cuda:N")
    channels_last: bool = setting(True, "memory layout that most convolutions are faster in")
    compile: bool = setting(False, "torch.compile the network")
    num_workers: int = setting(
        -1, "processes that read images; 0: the job itself; -1: by the number of cores", low=-1, result=False
    )
    processes_per_host: int = setting(
        0, "processes that train together on each host, in the image; 0: one a GPU, else one", low=0, result=False
    )

    # Logging and report
    log_interval: int = setting(
        0, "optimiser steps between losses told inside an epoch; 0: none", low=0, result=False, section="Tracking"
    )
    tracking: str = setting(
        "auto",
        "auto: TensorBoard's event files beside the split, and where WANDB_API_KEY is set or WANDB_MODE is offline "
        "Weights & Biases; tensorboard: the files alone",
        choices=("auto", "tensorboard", "none"),
        result=False,
    )
    report: bool = setting(
        True, "answer the validation images by the saved model and write report.html with its scores", result=False
    )
    thumbnails: str = setting(
        "auto",
        "thumbnails of images in the report, TensorBoard and Weights & Biases; none: names and labels only; blurred: "
        "reduced to at most 8 pixels per side, too few for a face; auto: none at Weights & Biases, otherwise full",
        choices=("auto", *THUMBNAILS),
        result=False,
    )
    wandb_project: str | None = setting(None, "W&B project; else WANDB_PROJECT, else rarebird", result=False)
    wandb_entity: str | None = setting(None, "W&B user or team; else WANDB_ENTITY", result=False)

    def head(self, name: str) -> HeadSettings:
        """The settings of a head: its own in `heads`, otherwise the common ones. The common loss_args are of the common
        loss; a head with another loss has none of them."""
        own = self.heads.get(name, {})
        common = {field.name: getattr(self, field.name) for field in fields(HeadSettings) if hasattr(self, field.name)}
        if own.get("loss", self.loss) != self.loss:
            common["loss_args"] = {}
        return HeadSettings(**{**common, **own})

    def thumbnails_or(self, automatic: str) -> str:
        """The setting `thumbnails`, an entry of THUMBNAILS. automatic: what `auto` means."""
        return automatic if self.thumbnails == "auto" else self.thumbnails

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from self._sampling_contradictions()
        yield from self._image_contradictions()
        yield from self._target_contradictions()
        yield from self.table_contradictions()
        yield from self.folder_contradictions()
        if self.freeze_epochs and not self.freeze:
            yield "freeze_epochs needs freeze"
        if not self.name or "/" in self.name or self.name.startswith("."):
            yield f"name {self.name!r} must be a folder's name"

    def _sampling_contradictions(self) -> Iterator[str]:
        if self.sampler == "none" and self.sampler_strength:
            yield f"sampler none has strength 0, not {self.sampler_strength:g}"
        if (self.class_weights == "given") != bool(self.class_weight_values):
            yield "class_weights given and class_weight_values need each other"

    def _image_contradictions(self) -> Iterator[str]:
        if len(self.input_size) not in (0, 1, 2):
            yield f"input_size takes height and width, not {len(self.input_size)} numbers"
        if self.pixel_range and not (len(self.pixel_range) == 2 and self.pixel_range[0] < self.pixel_range[1]):
            yield f"pixel_range takes two numbers that rise, not {self.pixel_range}"
        if self.channels == 2:
            yield "channels is 3 (colour) or 1 (grey)"
        if self.normalisation == "given":
            for name in ("mean", "std"):
                if len(getattr(self, name)) != self.channels:
                    yield f"normalisation given needs {name} with {self.channels} numbers"
        elif self.mean or self.std:
            yield f"mean and std belong to normalisation given, not {self.normalisation}"

    def _target_contradictions(self) -> Iterator[str]:
        if sorted(set(self.age_cuts)) != self.age_cuts or not self.age_cuts:
            yield f"age_cuts must rise: {self.age_cuts}"
        if self.attributes and self.age_cuts != [30.0, 60.0]:
            yield "age_cuts belongs to the mask scheme; write cuts under the attribute in `attributes`"
        if self.heads and self.target != "heads":
            yield f"heads belongs to target heads, not {self.target}"
        if self.separate and self.target != "separate":
            yield f"separate belongs to target separate, not {self.target}"
        if self.folds and self.validation_groups:
            yield "folds hold out each part in turn; with them validation_groups has no place"
        if self.folds == 1:
            yield "folds takes 0 (one model on a split) or at least 2"
