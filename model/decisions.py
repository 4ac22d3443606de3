"""Decisions: the rules by which class probabilities become the class that is answered. No other code takes an argmax
over classes.

A decision is saved as decision.json with a model or an ensemble. Without the file it is the default, the most probable
class. Imports no torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """Answers the class of the highest log p / temperature + bias; by default the most probable class.

    Attributes:
        temperature: Above 0; divides the log probabilities. Above 1 gives the biases more weight.
        biases: One per class, added to the log probabilities; none by default.
    """

    rule: ClassVar[str] = "argmax"  # key in DECISIONS

    temperature: float = 1.0
    biases: tuple[float, ...] = ()

    def scores(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """What classes are compared by, (..., C), from probabilities (..., C)."""
        if not self.biases:
            return probabilities
        with np.errstate(divide="ignore"):  # log 0 is -inf, which is never the highest
            return np.log(probabilities) / self.temperature + np.asarray(self.biases)

    def classes(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The answered classes, int64 (...), from probabilities (..., C). Of equal scores the first class wins."""
        return self.scores(probabilities).argmax(axis=-1)

    def votes(self, probabilities: NDArray[Any]) -> NDArray[np.float32]:
        """1 for the answered class and 0 for the others, float32 (..., C)."""
        return np.eye(probabilities.shape[-1], dtype=np.float32)[self.classes(probabilities)]

    def to_dict(self) -> dict[str, Any]:
        """The content of decision.json."""
        return {"rule": self.rule, **asdict(self)}


DECISIONS: dict[str, type[Decision]] = {Decision.rule: Decision}
