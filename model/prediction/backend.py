"""Backend: what computes a saved model's network. model.prediction.backends has the backends by the file they read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from model.data.image_dataset import Batch, ImageDataset, Item, thread_batches
from model.images.inputs import Inputs
from model.network.heads import Heads


class Backend(ABC):
    """A network on its hardware. str() says which hardware: "CPU, 2 threads, fp32".

    A backend needs `logits` and `__str__`; one that computes on GPUs, `gpu_problem` too. All methods raise MemoryError
    if there is not enough memory.

    Args:
        heads: The heads of the network.
    """

    def __init__(self, heads: Heads):
        self.heads = heads

    @abstractmethod
    def logits(self, inputs: Inputs) -> NDArray[np.float32]:
        """Outputs of the network, float32 (N, outputs), from the inputs of N images or views."""

    @abstractmethod
    def __str__(self) -> str: ...

    @property
    def precision(self) -> str:
        """The arithmetic of its answers; "" where it has only one."""
        return ""

    def probabilities(self, inputs: Inputs) -> NDArray[np.float32]:
        """Joint probabilities, float32 (N, C), from the inputs of N images or views."""
        return self.heads.probabilities(self.logits(inputs))

    def batches(self, dataset: ImageDataset, items: Iterable[list[Item]], workers: int) -> Iterator[Batch]:
        """Reads batches of a dataset for this backend.

        Args:
            dataset: Images.
            items: The items of each batch; the batches come back in this order.
            workers: Number of workers that decode, threads or processes; 0 decodes where the batches are taken.
        """
        return thread_batches(dataset, items, workers)

    def gpu_problem(self) -> str:
        """Why it uses no GPU, "" if it does or never could."""
        return ""

    def limit_threads(self, most: int) -> None:  # noqa: B027
        """Computes with at most this many threads from now on, in the whole process."""

    def release_memory(self) -> None:  # noqa: B027
        """Gives the memory of the network back, caches included. The backend cannot be used afterwards."""
