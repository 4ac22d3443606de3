"""The torch backend: a network of model.network with weights in model.safetensors.

The only module of model.prediction that imports torch.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import nn

from model.artifacts.files import LABELS, SETTINGS, WEIGHTS
from model.artifacts.saved_model import SavedModel
from model.data.image_dataset import Batch, ImageDataset, Item
from model.data.loader import batches
from model.errors import InputError, listing
from model.images.inputs import Inputs
from model.images.preprocessing import Preprocessing
from model.network.fusion import make_image_network
from model.network.gradcam import grad_cam
from model.network.heads import Heads
from model.network.network import Network
from model.network.number_bins import Numbers
from model.network.probabilities import joint_probabilities
from model.network.tensors import network_tensors
from model.prediction.backend import Backend
from model.runtime.hardware import Hardware, find_hardware


class TorchBackend(Backend):
    """A torch network on its hardware.

    Args:
        network: The network; it is moved to the device and set to evaluation mode.
        heads: Its heads.
        preprocessing: Normalises its images.
        hardware: Where it runs.
    """

    def __init__(self, network: nn.Module, heads: Heads, preprocessing: Preprocessing, hardware: Hardware):
        super().__init__(heads)
        with out_of_memory():
            self.network: nn.Module | None = hardware.place(network).eval()
        self.preprocessing, self.hardware = preprocessing, hardware

    @classmethod
    def load(cls, saved: SavedModel, device: str, precision: str) -> TorchBackend:
        """The backend of a saved model.

        Args:
            saved: The model.
            device: Setting of the same name.
            precision: Setting of the same name.

        Raises:
            InputError: See load_network; or there is no such device or precision.
        """
        network = load_network(saved)
        hardware = find_hardware(device, precision, saved.settings.channels_last)
        return cls(network, saved.heads, saved.pipeline.preprocessing, hardware)

    @property
    def precision(self) -> str:
        return self.hardware.precision

    def logits(self, inputs: Inputs) -> NDArray[np.float32]:
        with out_of_memory():
            return self._logits(inputs).cpu().numpy()

    def predict(self, inputs: Inputs) -> tuple[NDArray[np.float32], Numbers]:
        with out_of_memory():
            logits = self._logits(inputs)
            probabilities = joint_probabilities(self.heads, logits).cpu().numpy()
            return probabilities, self.heads.numbers(logits.cpu().numpy()) if self.heads.number_names else {}

    def evidence(self, inputs: Inputs, classes: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        network = self.network
        assert isinstance(network, Network), "the backend's memory has been released"
        tensors = network_tensors(inputs, self.preprocessing, self.hardware)
        codes = {name: torch.from_numpy(own) for name, own in classes.items()}
        with out_of_memory():
            return grad_cam(network, self.heads, tensors, codes).numpy()

    def batches(self, dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Batch]:
        return batches(dataset, items, workers, pin_memory=self.hardware.device.type == "cuda")

    def gpu_problem(self) -> str:
        return self.hardware.gpu_problem()

    def limit_threads(self, most: int) -> None:
        torch.set_num_threads(min(torch.get_num_threads(), most))

    def release_memory(self) -> None:
        self.network = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def __str__(self) -> str:
        return str(self.hardware)

    @torch.inference_mode()
    def _logits(self, inputs: Inputs) -> torch.Tensor:
        """Outputs of the network, float32 (N, outputs), on the device."""
        assert self.network is not None, "the backend's memory has been released"
        tensors = network_tensors(inputs, self.preprocessing, self.hardware)
        with self.hardware.autocast():
            return self.network(**tensors).float()


@contextmanager
def out_of_memory() -> Iterator[None]:
    """Raises MemoryError where torch raises OutOfMemoryError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from None


def load_network(saved: SavedModel) -> Network:
    """The network of a saved model, on the CPU and in evaluation mode.

    Raises:
        InputError: The weights are unreadable or do not fit the settings; the message lists missing and unknown
            tensors and those with another shape.
    """
    settings, heads = saved.settings, saved.heads
    preprocessing = saved.pipeline.preprocessing
    backbone = make_image_network(settings, preprocessing)
    network = Network.of(settings, backbone, heads, preprocessing, saved.pipeline.vocabulary)
    network.load_state_dict(_read_weights(saved.folder / WEIGHTS, network))
    network.eval()
    return network


def _read_weights(path: Path, network: Network) -> dict[str, torch.Tensor]:
    """Tensors by name, exactly those of the network. InputError lists missing, unknown and misshapen ones."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
            problems = [f"{name} is missing" for name in expected if name not in shapes]
            problems += [f"{name} is unknown" for name in shapes if name not in expected]
            problems += [
                f"{name} has shape {list(shapes[name])}, not {list(expected[name])}"
                for name in expected
                if name in shapes and shapes[name] != expected[name]
            ]
            if problems:
                raise InputError(f"{path}: the weights do not fit {SETTINGS} and {LABELS}: {listing(problems, 6)}")
            return {name: file.get_tensor(name) for name in expected}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: unreadable: {error}") from None
