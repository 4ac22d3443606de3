"""Settings of what computes the features of images: a timm backbone, a saved model, or thumbnails without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import nearest_path
from model.settings.choices import PRECISIONS
from model.settings.fields import setting

THUMBNAIL = "thumbnail"  # value of the setting `model`


@dataclass(frozen=True)
class EmbedderSettings:
    """Everything that the features of an image depend on, beside the image. Base of settings of commands."""

    model: str = setting(
        "mobilenetv2_100",
        "What computes the features: the name of a timm backbone, the folder or archive of a saved model, or "
        "thumbnail for the pixels of the image at 12x12, which needs no network and no torch",
        section="Embeddings",
        common=True,
    )
    weights: str | None = setting(
        None,
        "Weights of a timm backbone: a .safetensors or .pth file, or a saved model",
        unset="timm's pretrained weights, which are downloaded if they are not cached",
        common=True,
        placeholder="FILE",
    )
    input_size: list[int] = setting(
        [],
        "Height and width of the network's input; one number for a square",
        unset="that of the model, 12x12 for thumbnail",
        unit="pixels",
        low=4,
        common=True,
    )
    sizes: list[int] = setting(
        [],
        "Several heights of the input: the features of each are normalised and concatenated. The widths keep "
        "the aspect ratio of input_size: --input_size 4 3 --sizes 128 256 computes 128x96 and 256x192",
        unset="only input_size",
        unit="pixels",
        low=4,
    )
    precision: str = setting(
        "auto",
        "Floating-point format; auto: bf16 if the hardware supports it well, fp16 on older GPUs, otherwise fp32",
        choices=PRECISIONS,
    )
    device: str = setting("auto", "Device: auto, cpu, cuda or cuda:N")

    def embedder_contradictions(self) -> Iterator[str]:
        """A sentence for each contradiction between these settings."""
        if len(self.input_size) > 2:
            yield f"input_size must be height and width, not {len(self.input_size)} numbers"
        if len(set(self.sizes)) < len(self.sizes):
            yield f"sizes must be different, not {' '.join(map(str, self.sizes))}"
        if self.model == THUMBNAIL and self.weights:
            yield f"weights is for a network, not for --model {THUMBNAIL}"
        # before a channel is read, which can take long
        paths = {"weights": self.weights, "model": self.model if "/" in self.model else None}
        for name, path in paths.items():
            if path and not Path(path).exists():
                yield f"{name} {path}: there is no such file or folder{nearest_path(Path(path))}"

    def inputs(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of each input.

        Args:
            height: Height of the model's own input, which is used if input_size is not set.
            width: Width, likewise.
        """
        if self.input_size:
            height, width = self.input_size[0], self.input_size[-1]
        return [(size, max(1, round(size * width / height))) for size in self.sizes] or [(height, width)]
