"""Heat maps: the input of a saved model's network, with the parts in red that its prediction depends on (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.artifacts.ensemble import load, saved_models
from model.errors import InputError
from model.images.decode import Source, read_source
from model.images.inputs import PIXELS, Inputs
from model.images.tta import Views
from model.prediction.backends import make_backend
from model.settings.choices import METADATA_ONLY

RED = np.array([255, 40, 0], np.float32)
OPACITY = 0.6  # of the strongest evidence
SHORT_SIDE = 256  # pixels; a smaller input is enlarged


class HeatMaps:
    """Heat maps of one model; of an ensemble, those of its first member.

    Args:
        model: Folder of a saved model or an ensemble.
        device: Setting of the same name.

    Raises:
        InputError: The model cannot be loaded, or reads only metadata.
    """

    def __init__(self, model: str | Path, device: str = "auto"):
        self.model = saved_models(load(Path(model)))[0]
        if self.model.settings.fusion == METADATA_ONLY:
            raise InputError(f"model {model}: there are no heat maps, because it reads only metadata and no pixels")
        self.backend = make_backend(self.model, device, "fp32")
        self.views = Views(self.model.pipeline)

    def draw(
        self,
        image: Source,
        codes: Mapping[str, int] | None = None,
        metadata: Mapping[str, object] = MappingProxyType({}),
    ) -> Image.Image:
        """The heat map of an image.

        Args:
            image: A path, the bytes of a file, or an image.
            codes: The class to explain: the class of each attribute, or of some of them. None for the predicted class.
            metadata: The image's metadata by column, for a model that reads it; unknown without it.

        Returns:
            The network's input with the evidence in red, RGB.

        Raises:
            UnreadableImage: The image cannot be read.
            InputError: The model's backend has no gradients.
        """
        decoded = read_source(image, self.views.channels, self.views.draft, self.views.pixel_range)
        arrays = self.model.pipeline.arrays_by_row({name: [value] for name, value in metadata.items()}, 1)
        inputs = self.views(decoded, 0).with_arrays({name: array[0] for name, array in arrays.items()})
        classes = self._classes(self._predicted(inputs) if codes is None else codes)
        (evidence,) = self.backend.evidence(inputs, classes)
        return overlay(inputs.arrays[PIXELS][0], evidence)

    def _predicted(self, inputs: Inputs) -> dict[str, int]:
        """The class of each attribute in the predicted joint class."""
        (joint,) = self.model.decision.classes(self.backend.probabilities(inputs))
        return {name: int(code) for name, code in self.model.scheme.split(joint).items()}

    def _classes(self, codes: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
        """The class of each head all of whose attributes are in codes."""
        heads = self.backend.heads
        return {
            head.name: np.array([heads.head_scheme(head).joint({name: codes[name] for name in head.attributes})])
            for head in heads.heads
            if all(name in codes for name in head.attributes)
        }


def heat_maps(model: str | Path, images: Sequence[Source], device: str = "auto") -> list[Image.Image]:
    """The heat maps of the predicted classes of images (HeatMaps)."""
    maps = HeatMaps(model, device)
    return [maps.draw(image) for image in images]


def overlay(pixels: NDArray[np.uint8], evidence: NDArray[np.float32]) -> Image.Image:
    """Draws evidence over an image.

    Args:
        pixels: uint8 (height, width, channels), 1 or 3 channels.
        evidence: float32 (h, w) from 0 to 1.

    Returns:
        The image in RGB, at least SHORT_SIDE pixels on its shorter side.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, SHORT_SIDE / min(height, width))
    size = (round(width * scale), round(height * scale))
    image = Image.fromarray(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]).convert("RGB")
    base = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)
    smooth = Image.fromarray(evidence.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    opacity = OPACITY * np.clip(np.asarray(smooth), 0, 1)[:, :, None]
    return Image.fromarray(np.rint(base * (1 - opacity) + RED * opacity).astype(np.uint8))
