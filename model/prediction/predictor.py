"""Predictors: from images to class probabilities, for one network or an ensemble of them.

Validation, inference, the server and Python callers all predict through these classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model.answers.write import Answers
from model.data.image_locations import ImageLocations
from model.data.loader import Batch, ImageDataset, batches, in_order
from model.decisions import Decision
from model.images.decode import Source, UnreadableImage, read_source
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import Heads
from model.runtime.hardware import Hardware

# One image as the models of an ensemble need it: uint8 (views, height, width, channels) for each distinct input
# pipeline (size, channels and views) of the ensemble.
ModelInputs = tuple[torch.Tensor, ...]


class Predictor:
    """A network on its hardware, with its preprocessing, the views of each image that it predicts and the decision by
    which views vote.

    Calling it with uint8 (N, views, height, width, channels) returns probabilities, float32 (N, C), on the CPU.
    """

    def __init__(
        self,
        network: nn.Module,
        heads: Heads,
        preprocessing: Preprocessing,
        hardware: Hardware,
        views: Views,
        decision: Decision = Decision(),
    ):
        self.network = hardware.place(network).eval()
        self.heads, self.preprocessing, self.hardware, self.views = heads, preprocessing, hardware, views
        self.decision = decision

    @torch.inference_mode()
    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Outputs of the network, float32 (N, outputs), on the device, from uint8 (N, height, width, channels)."""
        batch = self.preprocessing.normalise(self.hardware.to_device(pixels))
        with self.hardware.autocast():
            return self.network(batch).float()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        images, views = pixels.shape[:2]
        # one forward pass for all views of all images
        probabilities = self.heads.probabilities(self.logits(pixels.flatten(0, 1))).cpu()
        return self.views.combine(probabilities.view(images, views, -1), self.decision)

    def dataset(self, root: Path, locations: ImageLocations) -> ImageDataset:
        """Images of a channel as a dataset that decodes them and makes this predictor's views."""
        return ImageDataset(root, locations, self.preprocessing.channels, self.views.draft, self.views)


class EnsemblePredictor:
    """Predictors whose probabilities are combined into one answer.

    Predictors with equal views share an input pipeline: each image is read, decoded and resized once for all of them.

    Args:
        predictors: at least one.
        scheme: labels of the combined answer.
        combine: takes the probabilities of all predictors, float32 (N, C of the predictor) in order, and returns
            float32 (N, C of scheme); the default takes the only one.
        decision: decides the class by the combined probabilities.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        scheme: Scheme,
        combine: Callable[[Iterator[np.ndarray]], np.ndarray] = next,
        decision: Decision = Decision(),
    ):
        self.decision = decision
        self.predictors, self.scheme, self.combine = list(predictors), scheme, combine
        self.hardware = predictors[0].hardware
        # one predictor for each distinct input pipeline
        self.pipelines = list({predictor.views: predictor for predictor in predictors}.values())

    def predict_channel(
        self, root: Path, locations: ImageLocations, batch_size: int, workers: int
    ) -> Iterator[Answers]:
        """Predicts images of a channel batch by batch, in their order.

        Holds a few batches in memory, however many images there are.

        Args:
            root: folder of the channel.
            locations: of the images.
            batch_size: views in a forward pass.
            workers: processes that decode, divided among the input pipelines; 0 decodes in this process.
        """
        per_batch = self.images_per_batch(batch_size)
        per_pipeline = math.ceil(workers / len(self.pipelines))
        pinned = self.hardware.device.type == "cuda"
        streams = [
            batches(pipeline.dataset(root, locations), in_order(len(locations), per_batch), per_pipeline, pinned)
            for pipeline in self.pipelines
        ]
        return self._predict_batches(zip(*streams, strict=True))

    def predict_images(self, sources: Sequence[Source], batch_size: int) -> Iterator[Answers]:
        """As predict_channel, for images given as paths, bytes or PIL images."""
        per_batch = self.images_per_batch(batch_size)
        for first in range(0, len(sources), per_batch):
            rows, inputs, unreadable = [], [], {}
            for row in range(first, min(first + per_batch, len(sources))):
                try:
                    inputs.append(self.prepare(sources[row], row))
                except UnreadableImage as error:
                    unreadable[row] = str(error)
                else:
                    rows.append(row)
            yield Answers(np.array(rows, np.int64), self.predict_inputs(inputs), unreadable)

    def images_per_batch(self, batch_size: int) -> int:
        """Number of images in a forward pass of batch_size views."""
        return max(1, batch_size // self.pipelines[0].views.number)

    def prepare(self, source: Source, row: int = 0) -> ModelInputs:
        """Decodes one image and makes its views for each input pipeline; threads may call it at the same time.

        Args:
            source: path, bytes or PIL image.
            row: seeds random views.

        Raises:
            UnreadableImage: why the image cannot be read.
        """
        return tuple(
            pipeline.views(
                read_source(source, channels=pipeline.preprocessing.channels, draft=pipeline.views.draft), row
            )
            for pipeline in self.pipelines
        )

    def predict_inputs(self, inputs: Sequence[ModelInputs]) -> np.ndarray:
        """Probabilities, float32 (N, C), of images that prepare has made ready."""
        return self._predict_pixels([torch.stack(pixels) for pixels in zip(*inputs, strict=True)])

    def _predict_batches(self, batches_by_pipeline: Iterable[tuple[Batch, ...]]) -> Iterator[Answers]:
        """Each tuple: a batch of the same rows from each pipeline."""
        for parts in batches_by_pipeline:
            # predict the rows that every pipeline could read
            unreadable = {row: reason for part in parts for row, reason in part.unreadable.items()}
            rows = np.array([row for row in parts[0].rows.tolist() if row not in unreadable], np.int64)
            pixels = [part.pixels[np.isin(part.rows, rows)] for part in parts if part.pixels is not None and len(rows)]
            yield Answers(rows, self._predict_pixels(pixels), unreadable)

    def _predict_pixels(self, pixels: Sequence[torch.Tensor]) -> np.ndarray:
        """pixels: uint8 (N, views, height, width, channels) from each pipeline; empty where there is no image."""
        if not pixels:
            return np.empty((0, self.scheme.num_classes), np.float32)
        by_views = dict(zip((pipeline.views for pipeline in self.pipelines), pixels, strict=True))
        return self.combine(predictor(by_views[predictor.views]).numpy() for predictor in self.predictors)
