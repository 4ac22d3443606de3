"""A saved model or an ensemble as requests use it. The one module here that needs torch: it is imported while the
server already tells that it is loading."""

from __future__ import annotations

import ctypes
import gc
import io
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from joblib import cpu_count
from PIL import Image

from container.serve.errors import Refused
from container.serve.limits import MIB, NoMemory, free_memory
from model.artifacts.ensemble import load, load_combined, saved_models
from model.artifacts.files import WEIGHTS, find_model
from model.images.decode import UnreadablePicture, decoding_memory
from model.labels import Scheme
from model.prediction.api import make_predictor
from model.prediction.predictor import ModelInputs
from model.settings.serve import ServeSettings

LARGE = 128 * MIB  # that decoding takes; such pictures are decoded one at a time


class Served:
    """Answers decoded pictures; look may be called by several threads, answer by one."""

    large = threading.Lock()  # of all models, whose pictures the same threads decode

    def __init__(self, place: Path | None, settings: ServeSettings):
        """place: of the model, where settings.models names none. InputError where it cannot be loaded, NoMemory."""
        try:
            saved = load_combined(settings.models) if place is None else load(_fitting(place))
            self.predictor = make_predictor(
                saved,
                num_tta=settings.num_tta,
                tta_mode=settings.tta_mode,
                seed=settings.seed,
                device=settings.device,
                precision=settings.precision,
            )
            torch.set_num_threads(min(torch.get_num_threads(), cpu_count()))
            self.place, self.number = saved.folder, len(saved_models(saved))
            self.per_batch = self.predictor.images_per_batch(settings.batch_size)
            self.answer([self.look(_blank())])
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise NoMemory(str(error) or "out of memory") from None

    @property
    def scheme(self) -> Scheme:
        return self.predictor.scheme

    def look(self, picture: bytes, row: int = 0) -> ModelInputs:
        """What the model sees of an encoded picture. Refused, 400, tells why it cannot be read, or that decoding it
        would take more memory than is free."""
        try:
            needed = max(decoding_memory(picture, pipeline.views.draft) for pipeline in self.predictor.pipelines)
            if needed < LARGE:
                return self.predictor.prepare(picture, row)
            with self.large:
                free = free_memory()
                if free is not None and needed > free:
                    told = f"{needed / MIB:,.0f} MiB of memory, of which {max(0, free) / MIB:,.0f} are free"
                    raise UnreadablePicture(f"too large: decoding it takes up to {told}")
                try:
                    return self.predictor.prepare(picture, row)
                finally:
                    _give_back()
        except UnreadablePicture as error:
            raise Refused(400, str(error), read=True) from None
        except MemoryError:
            raise Refused(400, "too large for the memory of this machine", read=True) from None

    def answer(self, looks: Sequence[ModelInputs]) -> np.ndarray:
        """Probabilities, float32 (N, classes)."""
        return self.predictor.predict_inputs(looks)

    def __str__(self) -> str:
        of = f"{self.number} models, " if self.number > 1 else ""
        views = self.predictor.pipelines[0].views.number
        return (
            f"{self.place}: {of}{self.scheme.num_classes} classes; {views} view{'s' if views > 1 else ''}; "
            f"{self.predictor.hardware}"
        )


def forget() -> None:
    """Gives back what an unloaded model held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _give_back() -> None:
    """To the system, what was freed: glibc (malloc_trim(3)) keeps of every thread as much as its largest picture."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _fitting(place: Path) -> Path:
    """A model's folder. NoMemory where twice its weights (the file and the network) need more than there is."""
    folder = find_model(place)
    needed, free = 2 * sum(file.stat().st_size for file in folder.rglob(WEIGHTS)), free_memory()
    if free is not None and needed > free:
        raise NoMemory(f"the model in {folder} needs some {needed:,} bytes of memory, there are {free:,}")
    return folder


def _blank() -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(encoded, "PNG")
    return encoded.getvalue()
