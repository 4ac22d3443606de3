"""Base class of backends, which compute the network of a saved model. model.prediction.backends lists them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from model.data.image_dataset import Batch, ImageDataset, Item, thread_batches
from model.errors import InputError
from model.images.inputs import Inputs
from model.network.heads import Heads
from model.network.number_bins import Numbers


class Backend(ABC):
    """A network on its hardware. str() describes the hardware: "CPU, 2 threads, fp32".

    A backend implements `logits` and `__str__`, and `gpu_problem` if it uses GPUs. All methods raise MemoryError if
    memory runs out.

    Args:
        heads: The heads of the network.
    """

    def __init__(self, heads: Heads):
        self.heads = heads

    @abstractmethod
    def logits(self, inputs: Inputs) -> NDArray[np.float32]:
        """Outputs of the network, float32 (N, outputs), for the inputs of N images or views."""

    @abstractmethod
    def __str__(self) -> str: ...

    @property
    def precision(self) -> str:
        """Precision of the arithmetic, such as `bf16`; "" if the backend has only one."""
        return ""

    def predict(self, inputs: Inputs) -> tuple[NDArray[np.float32], Numbers]:
        """Joint probabilities, float32 (N, C), and estimated numbers, for the inputs of N images or views."""
        logits = self.logits(inputs)
        return self.heads.probabilities(logits), self.heads.numbers(logits)

    def probabilities(self, inputs: Inputs) -> NDArray[np.float32]:
        """Joint probabilities, float32 (N, C), for the inputs of N images or views."""
        return self.predict(inputs)[0]

    def evidence(self, inputs: Inputs, classes: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Which parts of images a class depends on (Grad-CAM).

        Args:
            inputs: The inputs of N images.
            classes: By head name, the class of that head for each image, int64 (N,).

        Returns:
            float32 (N, h, w) from 0 to 1, of a lower resolution than the inputs.

        Raises:
            InputError: This backend has no gradients.
        """
        raise InputError(f"heat maps need a network of torch, which has gradients; this model is for {self}")

    def batches(self, dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Batch]:
        """Reads batches of a dataset for this backend.

        Args:
            dataset: The images.
            items: The items of each batch, in the order of the batches that are yielded.
            workers: Number of threads or processes that decode; 0 decodes in the calling thread.
        """
        return thread_batches(dataset, items, workers)

    def gpu_problem(self) -> str:
        """Why it uses no GPU; "" if it uses one or does not support GPUs."""
        return ""

    def limit_threads(self, most: int) -> None:  # noqa: B027
        """Limits the number of threads for computation in this process."""

    def release_memory(self) -> None:  # noqa: B027
        """Frees the memory of the network and its caches. The backend cannot be used afterwards."""
