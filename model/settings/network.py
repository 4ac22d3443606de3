"""Settings of the network and of the images that it reads: backbone, initial weights, preprocessing, augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.settings.choices import ADAPTERS, CLASSIFIER_STARTS, CLASSIFIERS, FITS, IMAGES, INTERPOLATIONS, POOLINGS
from model.settings.fields import setting
from model.settings.nested import arguments
from model.settings.policy_file import named_or_file


@dataclass(frozen=True)
class NetworkSettings:
    """Base of TrainSettings: the network, in its sections `Network` and `Images`."""

    # Network: backbone, its initial weights, classifier, frozen parts
    model: str = setting("resnet18", "Backbone: the name of any timm model", section="Network", common=True)
    model_args: dict[str, Any] = setting({}, "Further arguments of timm.create_model", nested=arguments)
    pretrained: bool = setting(
        True, "Start from timm's ImageNet weights, which are downloaded if they are not cached", common=True
    )
    weights: str | None = setting(
        None,
        "Weights to start from, instead of timm's: a .safetensors or .pth file, or a saved model (folder or "
        "archive). Weights of the classifier are matched by class name; if the shape of the saved classifier "
        "does not fit, it is not loaded",
        placeholder="PATH",
    )
    pooling: str = setting(
        "default",
        "How the positions of the backbone's feature map become the features of an image; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in POOLINGS.items()),
        choices=POOLINGS,
    )
    hidden_layers: list[int] = setting([], "Widths of hidden layers between the backbone and the classifier", low=1)
    dropout: float = setting(0.0, "Dropout rate before each layer of the classifier", low=0, high=0.99)
    classifier: str = setting(
        "linear",
        "Last layer of each classifier; " + "; ".join(f"{name}: {meaning}" for name, meaning in CLASSIFIERS.items()),
        choices=CLASSIFIERS,
    )
    classifier_scale: float = setting(
        16.0,
        "Scale of the logits of --classifier cosine, initial if it is learned; with --classifier_init class_means also "
        "the initial scale of a linear classifier",
        low=0.01,
    )
    classifier_scale_learned: bool = setting(True, "Learn the scale of --classifier cosine; false: keep it fixed")
    classifier_init: str = setting(
        "random",
        "Initial class vectors of the classifiers; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in CLASSIFIER_STARTS.items())
        + ", computed once by the initial backbone",
        choices=CLASSIFIER_STARTS,
    )
    drop_path: float = setting(
        0.0, "Rate of stochastic depth in the backbone, for backbones that support it", low=0, high=0.99
    )
    adapter: str = setting(
        "none",
        "Adapters in a vision transformer; "
        + "; ".join(f"{name}: {meaning}" for name, meaning in ADAPTERS.items())
        + ". The backbone is then frozen except for its adapters and normalisation layers",
        choices=ADAPTERS,
    )
    adapter_dim: int = setting(16, "Width of the bottleneck of each adapter, or rank of the update", low=1)
    freeze: list[str] = setting(
        [],
        "Parts that are not trained: backbone, stages:N for the stem and the first N stages (of a vision transformer: "
        "blocks), or prefixes of parameter names of the backbone, such as layer1 conv_stem",
    )
    freeze_epochs: int = setting(0, "Number of epochs after which the frozen parts are trained too; 0: never", low=0)
    freeze_norm: bool = setting(False, "Do not update the batch-norm statistics of the backbone")
    feature_views: int = setting(
        0,
        "With --freeze backbone: number of augmented views of each training image whose features are computed once, "
        "before the first epoch; the classifier is trained on them. 0: read and augment the images in each epoch",
        low=0,
    )

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
    channels: int = setting(
        3,
        "Channels of the images: 3 (colour), 1 (grey) or 4 (images of four channels, such as those of `python -m "
        "exploration stitch`)",
        low=1,
        high=4,
    )
    fit: str = setting(
        "crop",
        "How an image with another aspect ratio is fitted to input_size: crop (resize, then keep the "
        "centre), stretch or pad",
        choices=FITS,
    )
    crop_pct: float = setting(
        1.0,
        "Share of the height and width of an image, around its centre, that is used during prediction. A "
        "value below 1 makes objects about as large as in the random crops of the training",
        low=0.1,
        high=1,
    )
    interpolation: str = setting("bilinear", "Interpolation for resizing", choices=INTERPOLATIONS)
    normalisation: str = setting(
        "backbone",
        "Mean and standard deviation to normalise the pixels with: backbone (those that the backbone was "
        "trained with), dataset (those of the training images, by channel), given (those in mean and std) or picture "
        "(those of each image)",
        choices=("backbone", "dataset", "given", "picture"),
    )
    mean: list[float] = setting(
        [], "Mean of each channel, for pixel values from 0 to 1; used with --normalisation given"
    )
    std: list[float] = setting(
        [],
        "Standard deviation of each channel, for pixel values from 0 to 1; used with --normalisation given",
        low=1e-6,
    )
    augmentation: dict[str, dict[str, Any]] = setting(
        {"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}},
        "Random transforms of the training images, in this order, with their arguments. Names: flip, "
        "random_resized_crop, colour, randaugment, trivialaugment, erasing, mixup, cutmix, half_cutmix, timm, and any "
        "transform of torchvision v2. Instead of names: the path of a policy file (.yaml), or none for no transforms",
        nested=named_or_file,
    )

    def network_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between the settings of the network."""
        if self.freeze_epochs and not self.freeze:
            yield "freeze_epochs requires freeze"
        if self.adapter != "none" and self.freeze:
            yield f"adapter {self.adapter} freezes the backbone except for adapters and norms; do not set freeze"
        if not self.feature_views:
            return
        if "backbone" not in self.freeze:
            given = f"not {' '.join(self.freeze)}" if self.freeze else "which is not set"
            yield f"feature_views requires freeze backbone, {given}: features of a trained backbone change"
        if self.freeze_epochs:
            yield f"feature_views requires a backbone that stays frozen: remove freeze_epochs {self.freeze_epochs}"
        if self.drop_path:
            yield f"feature_views computes features once, without stochastic depth: remove drop_path {self.drop_path:g}"
        if self.pooling != "default":
            yield f"feature_views computes features with the pooling of the backbone: remove pooling {self.pooling}"

    def image_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between the settings of images."""
        if len(self.input_size) not in (0, 1, 2):
            yield f"input_size must be height and width, not {len(self.input_size)} numbers"
        if self.channels == 2:
            yield "channels must be 3 (colour), 1 (grey) or 4 (four channels), not 2"
        if self.normalisation == "given":
            for name in ("mean", "std"):
                if len(getattr(self, name)) != self.channels:
                    numbers = "1 number" if self.channels == 1 else f"{self.channels} numbers"
                    yield f"--normalisation given requires {name} with {numbers}, not {len(getattr(self, name))}"
        elif self.mean or self.std:
            yield f"mean and std are used only with --normalisation given, not {self.normalisation}"
