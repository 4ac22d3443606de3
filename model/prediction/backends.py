"""The backends by the file that each reads a network from, and the choice of a saved model's.

A new backend is an entry here and the name of its file in model.artifacts.files.NETWORK_FILES. Libraries that not every
model needs are imported inside its factory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from model.artifacts.files import WEIGHTS, network_file
from model.artifacts.saved_model import SavedModel
from model.errors import InputError, listing
from model.prediction.backend import Backend

Factory = Callable[[SavedModel, str, str], Backend]  # (saved model, settings device and precision) -> backend


def make_torch_backend(saved: SavedModel, device: str, precision: str) -> Backend:
    """The torch backend of a saved model."""
    from model.prediction.torch_backend import TorchBackend  # it imports torch

    return TorchBackend.load(saved, device, precision)


BACKENDS: dict[str, Factory] = {WEIGHTS: make_torch_backend}


def make_backend(saved: SavedModel, device: str, precision: str) -> Backend:
    """Reads the network of a saved model and places it on its hardware.

    Args:
        saved: The model.
        device: Setting of the same name.
        precision: Setting of the same name.

    Raises:
        InputError: The network cannot be read or does not fit the settings, or there is no such device or precision.
    """
    name = network_file(saved.folder)
    if name is None:
        raise InputError(f"model {saved.folder}: it has no network; expected {listing(BACKENDS)}")
    return BACKENDS[name](saved, device, precision)


def import_torch() -> None:
    """Imports torch and what its backend needs, where it is installed: the first model would wait for it."""
    with suppress(ImportError):
        import model.prediction.torch_backend  # noqa: F401
