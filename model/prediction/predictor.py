"""Predictors: from images to class probabilities, for one network or an ensemble, on any backend.

Inference, the server and the Python API predict with these classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from model.answers.write import Answers
from model.data.image_dataset import Batch, ImageDataset, in_order
from model.data.image_locations import ImageLocations
from model.data.metadata import columns_of
from model.data.readers.columns import column_named
from model.decisions import Decision
from model.images.decode import Source, UnreadableImage, read_source
from model.images.inputs import Inputs
from model.images.tta import Views
from model.labels import Scheme
from model.network.number_bins import Numbers
from model.prediction.backend import Backend

# One image, ready for an ensemble: its views for each distinct input pipeline (size, channels and views)
ModelInputs = tuple[Inputs, ...]


class Predictor:
    """A backend and the views of each image that it predicts.

    Calling it with inputs (N, views, ...) returns probabilities, float32 (N, C).

    Args:
        backend: Computes the network.
        views: Creates the inputs of an image and combines the probabilities of its views.
        decision: How a random view votes for a class.
    """

    def __init__(self, backend: Backend, views: Views, decision: Decision):
        self.backend, self.views, self.decision = backend, views, decision

    def __call__(self, inputs: Inputs) -> np.ndarray:
        return self.predict(inputs)[0]

    def predict(self, inputs: Inputs) -> tuple[np.ndarray, Numbers]:
        """Probabilities, float32 (N, C), and numbers, which are the means over all views, of inputs (N, views, ...)."""
        # one forward pass for all views of all images
        probabilities, numbers = self.backend.predict(inputs.by_view())
        combined = self.views.combine(probabilities.reshape(len(inputs), self.views.number, -1), self.decision)
        return combined, {name: values.reshape(len(inputs), -1).mean(axis=1) for name, values in numbers.items()}

    def dataset(
        self,
        root: Path,
        locations: ImageLocations,
        with_keys: bool = False,
        metadata: pd.DataFrame | None = None,
    ) -> ImageDataset:
        """A dataset that decodes images of a channel and creates this predictor's views. metadata: as in
        EnsemblePredictor.predict_channel."""
        pipeline = self.views.pipeline
        values = {} if metadata is None else columns_of(metadata, pipeline.metadata_columns)
        return ImageDataset(root, locations, self.views, with_keys, pipeline.arrays_by_row(values, len(locations)))


class EnsemblePredictor:
    """Predictors whose probabilities are combined.

    Predictors with equal views share an input pipeline: each image is read, decoded and resized once for all of them.

    Args:
        predictors: At least one.
        scheme: Labels of the combined probabilities.
        combine: From the probabilities of all predictors in order, float32 (N, C of the predictor), to the combined
            ones, float32 (N, C of scheme). The default returns those of the only predictor.
        decision: How the combined probabilities become a class.
        combine_numbers: From the numbers of all predictors in order to the combined ones; like `combine`.
        number_names: Names of the attributes whose number is estimated.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        scheme: Scheme,
        combine: Callable[[Iterator[np.ndarray]], np.ndarray] = next,
        decision: Decision = Decision(),
        combine_numbers: Callable[[Iterator[Numbers]], Numbers] = next,
        number_names: Sequence[str] = (),
    ):
        self.decision = decision
        self.combine_numbers, self.number_names = combine_numbers, tuple(number_names)
        self.predictors, self.scheme, self.combine = list(predictors), scheme, combine
        # one predictor for each distinct input pipeline
        self.pipelines = list({predictor.views: predictor for predictor in predictors}.values())

    @property
    def backends(self) -> list[Backend]:
        """The backend of each predictor."""
        return [predictor.backend for predictor in self.predictors]

    @property
    def metadata_columns(self) -> list[str]:
        """The columns of metadata that any of the networks reads."""
        return list(dict.fromkeys(name for one in self.pipelines for name in one.views.pipeline.metadata_columns))

    def gpu_problem(self) -> str:
        """Why a backend uses no GPU; "" if all use one or do not support GPUs."""
        return next(filter(None, (backend.gpu_problem() for backend in self.backends)), "")

    def predict_channel(
        self,
        root: Path,
        locations: ImageLocations,
        batch_size: int,
        workers: int,
        with_keys: bool = False,
        draws: NDArray[np.int64] | None = None,
        metadata: pd.DataFrame | None = None,
    ) -> Iterator[Answers]:
        """Predicts images of a channel in order, batch by batch, with a few batches in memory at a time.

        Args:
            root: Folder of the channel.
            locations: Locations of the images.
            batch_size: Views in a forward pass.
            workers: Processes or threads that decode, divided among the input pipelines; 0 decodes in this thread.
            with_keys: Whether to return the keys of the images' contents.
            draws: int64 (N,), seed of each image's random views; None for its row number.
            metadata: The images' metadata, for networks that read it; columns that it lacks are unknown.

        Yields:
            Probabilities of a batch.
        """
        per_batch = self.images_per_batch(batch_size)
        per_pipeline = math.ceil(workers / len(self.pipelines))
        streams = [
            pipeline.backend.batches(
                # the keys are the same for all pipelines
                pipeline.dataset(root, locations, with_keys and pipeline is self.pipelines[0], metadata),
                in_order(len(locations), per_batch, draws),
                per_pipeline,
            )
            for pipeline in self.pipelines
        ]
        return self._predict_batches(zip(*streams, strict=True))

    def predict_images(
        self,
        sources: Sequence[Source | np.ndarray],
        batch_size: int,
        metadata: Sequence[Mapping[str, object]] | None = None,
    ) -> Iterator[Answers]:
        """As predict_channel, for images given as paths, bytes, PIL images or arrays. metadata: of each image, by
        column."""
        per_batch = self.images_per_batch(batch_size)
        for first in range(0, len(sources), per_batch):
            rows, inputs, unreadable = [], [], {}
            for row in range(first, min(first + per_batch, len(sources))):
                try:
                    inputs.append(self.prepare(sources[row], row, metadata[row] if metadata else {}))
                except UnreadableImage as error:
                    unreadable[row] = str(error)
                else:
                    rows.append(row)
            probabilities, numbers = self.predict_inputs(inputs)
            yield Answers(np.array(rows, np.int64), probabilities, unreadable, numbers=numbers)

    def images_per_batch(self, batch_size: int) -> int:
        """Number of images in a forward pass of batch_size views."""
        return max(1, batch_size // self.pipelines[0].views.number)

    def prepare(
        self, source: Source | np.ndarray, row: int = 0, metadata: Mapping[str, object] = MappingProxyType({})
    ) -> ModelInputs:
        """Decodes one image and makes its views for each input pipeline. Thread-safe.

        Args:
            source: Path, bytes, PIL image, or pixels as uint8 (H, W, 3) or (H, W).
            row: Number of the image, which seeds its random views.
            metadata: Its metadata by column, for networks that read it; a column that it lacks is unknown.

        Raises:
            UnreadableImage: The message says why the image cannot be read.
        """
        if isinstance(source, np.ndarray):
            source = Image.fromarray(source)
        # as in a table, a column may be spelled in another letter case
        spelled = {name: column_named(metadata, name) for name in self.metadata_columns}
        values = {name: [metadata[column]] for name, column in spelled.items() if column is not None}
        prepared = []
        for views in (pipeline.views for pipeline in self.pipelines):
            inputs = views(read_source(source, views.channels, views.draft, views.pixel_range), row)
            arrays = views.pipeline.arrays_by_row(values, 1)
            prepared.append(inputs.with_arrays({name: array[0] for name, array in arrays.items()}))
        return tuple(prepared)

    def predict_inputs(self, inputs: Sequence[ModelInputs]) -> tuple[np.ndarray, Numbers]:
        """Probabilities, float32 (N, C), and estimated numbers of prepared images."""
        return self._predict_batch([Inputs.stack(images) for images in zip(*inputs, strict=True)])

    def _predict_batches(self, batches_by_pipeline: Iterable[tuple[Batch, ...]]) -> Iterator[Answers]:
        """Predicts batches. Each tuple contains the same rows, prepared by each pipeline."""
        for parts in batches_by_pipeline:
            # predict the rows that all pipelines could read
            unreadable = {row: reason for part in parts for row, reason in part.unreadable.items()}
            rows = np.array([row for row in parts[0].rows.tolist() if row not in unreadable], np.int64)
            inputs = [_inputs_at(rows, part) for part in parts] if len(rows) else []
            keys = parts[0].keys
            keys = keys if keys is None else keys[np.isin(parts[0].rows, rows)]
            probabilities, numbers = self._predict_batch(inputs)
            yield Answers(rows, probabilities, unreadable, keys, numbers)

    def _predict_batch(self, inputs: Sequence[Inputs]) -> tuple[np.ndarray, Numbers]:
        """Probabilities, float32 (N, C), and numbers. inputs: (N, views, ...) of each pipeline, or empty."""
        if not inputs:
            return np.empty((0, self.scheme.num_classes), np.float32), {
                name: np.empty(0, np.float32) for name in self.number_names
            }
        by_views = dict(zip((pipeline.views for pipeline in self.pipelines), inputs, strict=True))
        numbers: list[Numbers] = []

        def probabilities_of_each() -> Iterator[np.ndarray]:
            """Predicts one after the other, as `combine` asks for them, and keeps the numbers."""
            for predictor in self.predictors:
                probabilities, own = predictor.predict(by_views[predictor.views])
                numbers.append(own)
                yield probabilities

        combined = self.combine(probabilities_of_each())
        return combined, self.combine_numbers(iter(numbers)) if self.number_names else {}


def _inputs_at(rows: np.ndarray, batch: Batch) -> Inputs:
    """The inputs of these rows of a batch. They are copied only if the batch has other rows too, since a copy of
    page-locked memory is not page-locked."""
    assert batch.inputs is not None
    return batch.inputs if len(rows) == len(batch.rows) else batch.inputs.take(np.isin(batch.rows, rows))
