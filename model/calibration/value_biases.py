"""Class biases that are sums over attributes: with several attributes, each value has a bias, and that of a joint class
is the sum of the biases of its values. So 18 joint classes of 3, 2 and 3 values have 8 numbers, not 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.labels import Scheme


@dataclass(frozen=True)
class ValueBiases:
    """The structure of the biases of a scheme with C joint classes and V values of all attributes together.

    Attributes:
        scheme: The scheme.
    """

    scheme: Scheme

    @cached_property
    def members(self) -> list[NDArray[np.bool_]]:
        """For each of the V values, whether each joint class has it, bool (C,)."""
        codes = self.scheme.split(np.arange(self.scheme.num_classes))
        return [codes[one.name] == code for one in self.scheme.attributes for code in range(len(one.values))]

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """float64 (C, V): the biases of the classes are this matrix times those of the values."""
        return np.stack(self.members, axis=1).astype(np.float64)

    def of_classes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The biases of the classes, float64 (C,), from those of the values, float64 (V,)."""
        return np.asarray(self.matrix @ values)

    def centred(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The biases of the values with mean 0 in each attribute, float64 (V,). Decisions do not change."""
        parts = np.split(values, np.cumsum(self.scheme.sizes)[:-1])
        return np.concatenate([part - part.mean() for part in parts])
