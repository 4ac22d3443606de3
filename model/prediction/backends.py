"""The backends by the file that they read a network from, and the choice of the backend of a saved model.

To add a backend, add an entry here and the name of its file to model.artifacts.files.NETWORK_FILES. Libraries that only
this backend needs are imported in its factory.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from model.artifacts.files import WEIGHTS, network_file
from model.artifacts.saved_model import SavedModel
from model.errors import InputError, listing
from model.prediction.backend import Backend

Factory = Callable[[SavedModel, str, str], Backend]  # (saved model, settings device and precision) -> backend


def make_torch_backend(saved: SavedModel, device: str, precision: str) -> Backend:
    """The torch backend of a saved model."""
    with paused_collector():
        from model.prediction.torch_backend import TorchBackend  # imports torch

    return TorchBackend.load(saved, device, precision)


BACKENDS: dict[str, Factory] = {WEIGHTS: make_torch_backend}


def make_backend(saved: SavedModel, device: str, precision: str) -> Backend:
    """Reads the network of a saved model and moves it to its hardware.

    Args:
        saved: The model.
        device: Setting of the same name.
        precision: Setting of the same name.

    Raises:
        InputError: The network is unreadable or does not fit the settings, or there is no such device or precision.
    """
    name = network_file(saved.folder)
    if name is None:
        raise InputError(f"model {saved.folder}: the file of the network is missing; expected {listing(BACKENDS)}")
    return BACKENDS[name](saved, device, precision)


def import_torch() -> None:
    """Imports torch, if it is installed, and its backend, so that loading the first model does not wait for it."""
    with suppress(ImportError), paused_collector():
        import model.prediction.torch_backend  # noqa: F401


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pauses Python's garbage collector, which would scan the objects of an import repeatedly and free none.

    Job scripts freeze the objects of their imports, which live as long as the process. If they have done so, the
    objects of this import are frozen too.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if gc.get_freeze_count():
            gc.freeze()
    finally:
        if enabled:
            gc.enable()
