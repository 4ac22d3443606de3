"""A model without a network, which loads at once. The bytes of an image decide its prediction, or that it fails."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from container.http.errors import RequestError
from container.serve.errors import NotEnoughMemory
from container.serve.responses import ImagePrediction
from model.decisions import Decision
from model.errors import InputError
from model.labels import mask_scheme
from model.settings.serve import ServeSettings
from tests.container.http.server_process import ServerProcess

NUM_CLASSES = mask_scheme().num_classes
BAD, FAULT, NO_MEMORY, KILL, WAIT = b"bad", b"fault", b"no memory", b"kill", b"wait:"
DIES, ONE, SUFFIX = "dies", "one", "suffix"
ERRORS = {error.__name__: error for error in (InputError, NotEnoughMemory, ZeroDivisionError)}


SERVER = """
from container import job_script
from container.serve import models
from container.serve.__main__ import main
from tests.container.serve.stub_model import StubModel
models.make_served_model = StubModel
job_script.run(main)
"""


def stub_server_process(folder: Path, *flags: str, **env: str) -> ServerProcess:
    """A server whose model is a stub. folder: gets empty files of a saved model."""
    for name in ("model.safetensors", "settings.yaml", "labels.json", "preprocessing.json"):
        (folder / name).touch()
    command = [sys.executable, "-c", SERVER, "--host", "127.0.0.1", "--model_dir", str(folder)]
    return ServerProcess([*command, *flags], **env)


def stub_probabilities(image: bytes) -> np.ndarray:
    """Probabilities, float32 (classes,), from the first byte and the length of an image."""
    probabilities = np.full(NUM_CLASSES, 0.5 / NUM_CLASSES, np.float32)
    probabilities[(image[0] + len(image)) % NUM_CLASSES] += np.float32(0.5)
    return probabilities


class StubModel:
    """A stub of ServedModel.

    Images: BAD cannot be read. A batch with FAULT fails, as after an error of the GPU. A batch with NO_MEMORY needs too
    much memory, unless it is the only image. KILL kills the process. WAIT + PATH waits for that file while it is
    decoded. The metadata SUFFIX is added to the image.

    Folders: one with the name of an exception raises it. The file DIES ends every process that loads the folder. If
    several processes load a folder with the name ONE, only the first has enough memory.
    """

    batch_size = 4
    scheme, decision = mask_scheme(), Decision()

    def __init__(self, folder: Path | None, settings: ServeSettings, copies: int = 1):
        self.folder = folder
        if folder is not None and (folder / DIES).exists():
            os._exit(3)
        if folder is not None and folder.name in ERRORS:
            raise ERRORS[folder.name](f"{folder}: no model")
        if folder is not None and folder.name == ONE:
            try:
                (folder / "taken").touch(exist_ok=False)
            except FileExistsError:
                raise NotEnoughMemory("too little") from None

    def __str__(self) -> str:
        return f"{self.folder}: a stub"

    def prepare(self, image: bytes, row: int, metadata: Mapping[str, object]) -> bytes:
        if image == BAD:
            raise RequestError(400, "cannot be read")
        if image == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if image.startswith(WAIT):
            while not Path(os.fsdecode(image.removeprefix(WAIT))).exists():
                time.sleep(0.005)
        return image + str(metadata.get(SUFFIX, "")).encode()

    def predict(self, images: Sequence[bytes]) -> list[ImagePrediction]:
        if FAULT in images:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if NO_MEMORY in images and len(images) > 1:
            raise MemoryError("out of memory")
        return [ImagePrediction(stub_probabilities(image)) for image in images]

    def release_memory(self) -> None:
        pass


def import_nothing() -> None:
    """A stub of import_libraries."""
