"""Inputs: the arrays that a network reads for some images, by name.

All code between the input pipeline and the network passes them on without looking inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = "pixels"
METADATA = "metadata"  # int64 (N, columns): codes of a Vocabulary, for networks that read metadata
FEATURES = "features"  # in the place of the pixels: what a frozen backbone has made of them (model.training.features)


@dataclass(frozen=True)
class Inputs:
    """Arrays by name, one entry per image on their first axis.

    `pixels` is uint8 (N, height, width, channels). An input pipeline may add more arrays; the network's forward gets
    each as an argument of the same name. The pipeline makes the inputs of a single image, with its views on the first
    axis. `stack` adds a first axis for images, and `by_view` merges both axes for the network.
    """

    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def stack(cls, images: Sequence[Inputs]) -> Inputs:
        """Stacks the inputs of single images, (views, ...), into (N, views, ...)."""
        return cls({name: np.stack([image.arrays[name] for image in images]) for name in images[0].arrays})

    def by_view(self) -> Inputs:
        """Reshapes (N, views, ...) to (N * views, ...)."""
        return Inputs({name: array.reshape(-1, *array.shape[2:]) for name, array in self.arrays.items()})

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Inputs:
        """Adds arrays of a single image to its inputs, the same for each view."""
        views = {name: np.repeat(array[None], len(self), axis=0) for name, array in arrays.items()}
        return Inputs({**self.arrays, **views})

    def take(self, rows: NDArray[Any]) -> Inputs:
        """The entries at rows: positions or a mask."""
        return Inputs({name: array[rows] for name, array in self.arrays.items()})

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def nbytes(self) -> int:
        """Total size of the arrays in bytes."""
        return sum(array.nbytes for array in self.arrays.values())
