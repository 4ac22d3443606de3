"""From a saved model and pictures to probabilities: the one way that training's validation, inference, and calls
from Python take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model.answers.write import Answers
from model.data.loader import Batch, ImageDataset, batches, in_order
from model.data.locations import ImageLocations
from model.images.decode import Source, UnreadableImage, read_source
from model.images.preprocessing import Preprocessing
from model.images.tta import Views
from model.labels import Scheme
from model.network.heads import Heads
from model.runtime.hardware import Hardware

ModelInputs = tuple[torch.Tensor, ...]  # uint8 (views, height, width, channels) a way of seeing


class Predictor:
    """A network on its hardware with the views it looks at. Call it with pixels."""

    def __init__(
        self, network: nn.Module, heads: Heads, preprocessing: Preprocessing, hardware: Hardware, views: Views
    ):
        self.network = hardware.place(network).eval()
        self.heads, self.preprocessing, self.hardware, self.views = heads, preprocessing, hardware, views

    @torch.inference_mode()
    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (N, outputs), on the device, from uint8 (N, height, width, channels)."""
        batch = self.preprocessing.normalise(self.hardware.to_device(pixels))
        with self.hardware.autocast():
            return self.network(batch).float()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (N, joint classes), on the CPU, from uint8 (N, views, height, width, channels)."""
        number, views = pixels.shape[:2]
        each = self.heads.probabilities(self.logits(pixels.flatten(0, 1))).cpu()
        return self.views.combine(each.view(number, views, -1))

    def pictures(self, root: Path, locations: ImageLocations) -> ImageDataset:
        """A channel's images, to be read and viewed as this predictor wants them."""
        return ImageDataset(root, locations, self.preprocessing.channels, self.views.draft, self.views)


class EnsemblePredictor:
    """Predictors that answer as one. Those that see pictures alike share their reading and decoding."""

    def __init__(
        self,
        predictors: Sequence[Predictor],
        scheme: Scheme,
        join: Callable[[Iterator[np.ndarray]], np.ndarray] = next,
    ):
        """join: the probabilities of all predictors, in order, to one answer over the classes of scheme."""
        self.predictors, self.scheme, self.join = list(predictors), scheme, join
        self.hardware = predictors[0].hardware
        self.pipelines = list({predictor.views: predictor for predictor in predictors}.values())

    def predict_table(self, root: Path, locations: ImageLocations, batch_size: int, workers: int) -> Iterator[Answers]:
        """Of a channel's images, in their order. batch_size counts views. Memory is that of a few
        batches, whatever the number of pictures."""
        per_batch = self.images_per_batch(batch_size)
        each = math.ceil(workers / len(self.pipelines))
        pinned = self.hardware.device.type == "cuda"
        streams = [
            batches(pipeline.pictures(root, locations), in_order(len(locations), per_batch), each, pinned)
            for pipeline in self.pipelines
        ]
        return self._of_batches(zip(*streams, strict=True))

    def predict_images(self, sources: Sequence[Source], batch_size: int) -> Iterator[Answers]:
        """As answers, for pictures given as paths, bytes or PIL pictures."""
        for first in range(0, len(sources), self.images_per_batch(batch_size)):
            rows, looks, unreadable = [], [], {}
            for row in range(first, min(first + self.images_per_batch(batch_size), len(sources))):
                try:
                    looks.append(self.prepare(sources[row], row))
                except UnreadableImage as error:
                    unreadable[row] = str(error)
                else:
                    rows.append(row)
            yield Answers(np.array(rows, np.int64), self.predict_inputs(looks), unreadable)

    def images_per_batch(self, batch_size: int) -> int:
        """Pictures of a forward pass of so many views."""
        return max(1, batch_size // self.pipelines[0].views.number)

    def prepare(self, source: Source, row: int = 0) -> ModelInputs:
        """What the pipelines see of one picture, uint8 (views, height, width, channels) each; threads may look side by
        side. row: that random views are drawn for. UnreadableImage tells why it cannot be read."""
        return tuple(
            pipeline.views(
                read_source(source, channels=pipeline.preprocessing.channels, draft=pipeline.views.draft), row
            )
            for pipeline in self.pipelines
        )

    def predict_inputs(self, looks: Sequence[ModelInputs]) -> np.ndarray:
        """Probabilities, float32 (N, classes of the scheme), of pictures that were looked at."""
        return self._joined([torch.stack(seen) for seen in zip(*looks, strict=True)])

    def _of_batches(self, seen: Iterable[tuple[Batch, ...]]) -> Iterator[Answers]:
        """seen: the same rows by each pipeline."""
        for batch in seen:
            unreadable = {row: reason for part in batch for row, reason in part.unreadable.items()}
            rows = np.array([row for row in batch[0].rows.tolist() if row not in unreadable], np.int64)
            pixels = [part.pixels[np.isin(part.rows, rows)] for part in batch if part.pixels is not None and len(rows)]
            yield Answers(rows, self._joined(pixels), unreadable)

    def _joined(self, pixels: Sequence[torch.Tensor]) -> np.ndarray:
        """pixels: of each pipeline, uint8 (N, views, height, width, channels); empty where there is no picture."""
        if not pixels:
            return np.empty((0, self.scheme.num_classes), np.float32)
        seen = dict(zip((pipeline.views for pipeline in self.pipelines), pixels, strict=True))
        return self.join(predictor(seen[predictor.views]).numpy() for predictor in self.predictors)
