"""A model without a network, which starts at once: it answers a picture by its bytes, and fails if they say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from container.http.errors import RequestError
from model.decisions import Decision
from model.labels import mask_scheme
from model.settings.serve import ServeSettings

NUM_CLASSES = mask_scheme().num_classes
BAD, FAULT, NO_MEMORY = b"bad", b"fault", b"no memory"


def stub_probabilities(picture: bytes) -> np.ndarray:
    """float32 (classes,) from a picture's first byte and length."""
    probabilities = np.full(NUM_CLASSES, 0.5 / NUM_CLASSES, np.float32)
    probabilities[(picture[0] + len(picture)) % NUM_CLASSES] += np.float32(0.5)
    return probabilities


class StubModel:
    """Stands for a ServedModel.

    Pictures: BAD cannot be read; a batch with FAULT fails, as after an error of the GPU; one of two with NO_MEMORY in
    it needs more memory than there is.
    """

    batch_size = 4
    scheme, decision = mask_scheme(), Decision()

    def __init__(self, folder: Path | None, settings: ServeSettings):
        self.folder = folder

    def __str__(self) -> str:
        return f"{self.folder}: a stub"

    def prepare(self, picture: bytes, row: int) -> bytes:
        if picture == BAD:
            raise RequestError(400, "cannot be read")
        return picture

    def predict(self, pictures: Sequence[bytes]) -> np.ndarray:
        if FAULT in pictures:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if NO_MEMORY in pictures and len(pictures) > 1:
            raise MemoryError("out of memory")
        return np.stack([stub_probabilities(picture) for picture in pictures])

    def release_memory(self) -> None:
        pass
