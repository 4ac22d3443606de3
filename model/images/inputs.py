"""Inputs: what a network reads of some images, as numpy arrays by name, which all code between the input pipeline and
the network passes on unopened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS = "pixels"


@dataclass(frozen=True)
class Inputs:
    """Arrays by name, one entry per image on their first axis.

    `pixels` is uint8 (N, height, width, channels). An input pipeline may add further arrays: the network's forward gets
    each by its name. One image, as the pipeline makes it, has its views on the first axis; `stack` adds the axis of
    the images before it, and `by_view` merges the two for the network.
    """

    arrays: Mapping[str, NDArray[Any]]

    @classmethod
    def stack(cls, images: Sequence[Inputs]) -> Inputs:
        """The inputs of several images, (N, views, ...), from those of each, (views, ...)."""
        return cls({name: np.stack([image.arrays[name] for image in images]) for name in images[0].arrays})

    def by_view(self) -> Inputs:
        """(N, views, ...) as (N * views, ...)."""
        return Inputs({name: array.reshape(-1, *array.shape[2:]) for name, array in self.arrays.items()})

    def take(self, rows: NDArray[Any]) -> Inputs:
        """The entries at rows: positions or a mask."""
        return Inputs({name: array[rows] for name, array in self.arrays.items()})

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def nbytes(self) -> int:
        """Size of the arrays in bytes."""
        return sum(array.nbytes for array in self.arrays.values())
