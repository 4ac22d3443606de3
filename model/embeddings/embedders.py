"""What computes features: the base class, and thumbnails, which need no network. Imports no torch."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from model.artifacts.fingerprint import text_digest
from model.atomic_write import json_text
from model.data.image_dataset import Batch, ImageDataset, Item, collate
from model.data.image_locations import ImageLocations
from model.images.inputs import PIXELS, Inputs
from model.images.pipeline import InputPipeline
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.runtime.workers import in_threads
from model.settings.embedder import THUMBNAIL, EmbedderSettings

THUMBNAIL_SIDE = 12  # pixels
FORMAT = 1  # part of every identity; raise it if features of the same identity are computed differently


Computed = tuple[Batch, NDArray[np.float32]]  # a batch without its inputs, and features (N, features) of its rows


class Embedder(ABC):
    """Computes the features of an image at one input size.

    Attributes:
        model: Name of the backbone or saved model.
        weights: Where the weights are from, for people; "" without weights.
        pipeline: Makes the inputs of an image.
        features: Number of features.
        batch_size: Images per forward pass that are fast.
    """

    def __init__(self, model: str, weights: str, pipeline: InputPipeline, features: int, batch_size: int):
        self.model, self.weights, self.pipeline = model, weights, pipeline
        self.features, self.batch_size = features, batch_size

    @abstractmethod
    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """Features, float32 (N, features), of the inputs of N images."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that the features depend on, beside the image and its preprocessing, as JSON."""

    @abstractmethod
    def __str__(self) -> str:
        """The hardware, such as `CPU, 2 threads, fp32`."""

    @property
    def name(self) -> str:
        """The name for texts, such as `mobilenetv2_100, 224x224`."""
        return f"{self.model}, {self.size}"

    @property
    def size(self) -> str:
        """The input's height and width, such as 224x224."""
        return f"{self.pipeline.preprocessing.height}x{self.pipeline.preprocessing.width}"

    @property
    def folder(self) -> str:
        """Name of the folder of its features in the cache. It ends with a hash of all that they depend on."""
        content = {"format": FORMAT, "pipeline": self.pipeline.to_dict(), **self.identity()}
        return f"{re.sub('[^a-z0-9_.]+', '_', self.model.lower())}-{self.size}-{text_digest(json_text(content))[:16]}"

    def dataset(self, root: Path, locations: ImageLocations) -> ImageDataset:
        """A dataset that decodes images of a channel and makes the one view that prediction uses."""
        return ImageDataset(root, locations, Views(self.pipeline), with_keys=True)

    def computed(self, dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Computed]:
        """Reads batches and computes their features. Each thread does both, for one batch after the other.

        Args:
            dataset: The images.
            items: The items of each batch, in the order of the batches that are yielded.
            workers: Number of threads; -1: one per core; 0: reads and computes in this thread.
        """

        def compute(batch: list[Item]) -> Computed:
            return self.of_batch(collate([dataset[item] for item in batch]))

        workers = cpu_count() if workers < 0 else workers
        return in_threads(compute, items, workers, "embedder", self.start_thread)

    def of_batch(self, batch: Batch) -> Computed:
        """The features of a batch."""
        if batch.inputs is None:
            return batch, np.empty((0, self.features), np.float32)
        return replace(batch, inputs=None), self(batch.inputs.by_view())

    def start_thread(self) -> None:  # noqa: B027
        """Called in each thread of `computed` before its first batch."""


class ThumbnailEmbedder(Embedder):
    """The pixels of a small copy of the image, from -0.5 to 0.5. Its aspect ratio is not kept."""

    def __init__(self, height: int = THUMBNAIL_SIDE, width: int = THUMBNAIL_SIDE):
        pipeline = InputPipeline(Preprocessing(height, width, fit="stretch"))
        super().__init__(THUMBNAIL, "", pipeline, height * width * 3, batch_size=64)

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        pixels = inputs.arrays[PIXELS]
        return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255) - np.float32(0.5)

    def identity(self) -> dict[str, Any]:
        return {"model": THUMBNAIL}

    def __str__(self) -> str:
        return "CPU"


def make_embedders(settings: EmbedderSettings) -> list[Embedder]:
    """The embedder of each input size; torch is imported only if they are networks.

    Raises:
        InputError: The model or its weights cannot be loaded, or there is no such device or precision.
    """
    if settings.model == THUMBNAIL:
        return [ThumbnailEmbedder(*size) for size in settings.inputs(THUMBNAIL_SIDE, THUMBNAIL_SIDE)]
    from model.embeddings.extractor import make_networks  # imports torch

    return list(make_networks(settings))
