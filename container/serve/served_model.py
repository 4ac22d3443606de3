"""ServedModel: a saved model or an ensemble that answers requests.

This module is imported after the server has started to listen, while /ping is answered with 503. It does not import
torch itself; the model's backend does.
"""

from __future__ import annotations

import ctypes
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from joblib import cpu_count
from PIL import Image

from container.environment import Environment
from container.gpu_check import check_gpus
from container.http.errors import RequestError
from container.http.limits import MIB, free_memory
from container.serve.errors import NotEnoughMemory
from container.serve.machine_lock import LARGE_IMAGE
from container.serve.responses import ImagePrediction
from model.artifacts.discovery import find_model
from model.artifacts.ensemble import largest_picture, load, load_combined, saved_models
from model.artifacts.files import NETWORK_FILES
from model.decisions import Decision
from model.images.decode import UnreadableImage, allow_pixels, decoding_memory, largest_allowed
from model.labels import Scheme
from model.prediction.api import make_predictor
from model.prediction.predictor import ModelInputs
from model.settings.serve import ServeSettings

LARGE = 128 * MIB  # images whose decoding takes more memory are decoded one at a time


class ServedModel:
    """Prepares and predicts images. `prepare` may be called by several threads, `predict` only by one.

    Args:
        folder: The model's folder; None for the models in settings.models.
        settings: The server's settings.
        copies: Number of processes of this machine that load it at the same time.

    Raises:
        InputError: The model cannot be loaded.
        Failure: The driver shows GPUs, but none can be used.
        NotEnoughMemory: There is not enough memory for it.
    """

    large_image = LARGE_IMAGE  # all models share the lock, since they share the threads that decode

    def __init__(self, folder: Path | None, settings: ServeSettings, copies: int = 1):
        try:
            saved = load_combined(settings.models) if folder is None else load(_model_folder(folder, copies))
            allow_pixels(settings.max_pixels or largest_picture(saved))
            self.predictor = make_predictor(
                saved,
                num_tta=settings.num_tta,
                tta_mode=settings.tta_mode,
                seed=settings.seed,
                device=settings.device,
                precision=settings.precision,
            )
            check_gpus(Environment(), settings.device, self.predictor.gpu_problem)
            for backend in self.predictor.backends:
                backend.limit_threads(cpu_count())
            self.folder, self.num_models = saved.folder, len(saved_models(saved))
            self.batch_size = self.predictor.images_per_batch(settings.batch_size)
            self.predict([self.prepare(_blank_image())])
        except MemoryError as error:
            raise NotEnoughMemory(str(error) or "out of memory") from None

    @property
    def scheme(self) -> Scheme:
        return self.predictor.scheme

    @property
    def decision(self) -> Decision:
        return self.predictor.decision

    def prepare(self, image: bytes, row: int = 0, metadata: Mapping[str, object] = MappingProxyType({})) -> ModelInputs:
        """Decodes an image to the model's inputs.

        Args:
            image: The encoded image.
            row: Its position in the request.
            metadata: The metadata that was sent with it, for a model that reads metadata.

        Raises:
            RequestError: 400, the image cannot be read, or decoding it would take more memory than is free.
        """
        try:
            # decode large images one at a time, if there is enough memory
            needed = max(decoding_memory(image, pipeline.views.draft) for pipeline in self.predictor.pipelines)
            if needed < LARGE:
                return self.predictor.prepare(image, row, metadata)
            with self.large_image:
                free = free_memory()
                if free is not None and needed > free:
                    amounts = f"{needed / MIB:,.0f} MiB of memory; {max(0, free) / MIB:,.0f} MiB are free"
                    raise UnreadableImage(f"too large: decoding takes up to {amounts}")
                try:
                    return self.predictor.prepare(image, row, metadata)
                finally:
                    _trim_heap()
        except UnreadableImage as error:
            raise RequestError(400, str(error)) from None
        except MemoryError:
            raise RequestError(400, "too large for the memory of this machine") from None

    def predict(self, inputs: Sequence[ModelInputs]) -> list[ImagePrediction]:
        """Predicts N images."""
        probabilities, numbers = self.predictor.predict_inputs(inputs)
        by_name = {name: values.tolist() for name, values in numbers.items()}
        return [
            ImagePrediction(own, {name: values[row] for name, values in by_name.items()})
            for row, own in enumerate(probabilities)
        ]

    def __str__(self) -> str:
        members = f"{self.num_models} models, " if self.num_models > 1 else ""
        views = self.predictor.pipelines[0].views.number
        return (
            f"{self.folder}: {members}{self.scheme.num_classes} classes; {views} view{'s' if views > 1 else ''}; "
            f"{self.predictor.backends[0]}"
        )

    def release_memory(self) -> None:
        """Frees the memory of the model, which cannot be used afterwards."""
        for backend in self.predictor.backends:
            backend.release_memory()


def _trim_heap() -> None:
    """Returns freed memory to the system. Otherwise glibc keeps as much as the largest image of each thread took (man 3
    malloc_trim)."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _model_folder(path: Path, copies: int) -> Path:
    """Finds the folder of the model in a folder, and checks that it fits into memory.

    Args:
        path: The folder of the model, or a folder that contains it.
        copies: Number of processes that load it at the same time.

    Raises:
        NotEnoughMemory: Twice the size of its network files (the file's content and the network), times `copies`, is
            more than the free memory.
    """
    folder = find_model(path)
    files = [file for name in NETWORK_FILES for file in folder.rglob(name)]
    needed, free = 2 * copies * sum(file.stat().st_size for file in files), free_memory()
    if free is not None and needed > free:
        raise NotEnoughMemory(f"the model in {folder} needs about {needed:,} bytes of memory; {free:,} are free")
    return folder


def _blank_image() -> bytes:
    """An encoded grey image of 64 x 64 pixels, or fewer if the limit of pixels is lower. It has four bands, which suit
    models of any number of channels."""
    encoded, side = io.BytesIO(), min(64, math.isqrt(largest_allowed()))
    Image.new("RGBA", (side, side), "grey").save(encoded, "PNG")
    return encoded.getvalue()
