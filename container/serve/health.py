"""ModelHealth: whether models still answer. A CUDA error is sticky: after one, every batch of the process fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from container.serve.errors import Unavailable
from model.errors import Failure

Predict = Callable[[Sequence[Any]], Any]  # the inputs of N images -> their probabilities, N rows float32 (classes,)


class ModelHealth:
    """Counts the batches in a row that failed. A batch that is answered resets the count.

    Args:
        max_faults: Failed batches in a row after which models count as broken; 0: never.
        on_fault: Called at each failed batch.
        on_broken: Called once, with the reason, when models count as broken. Both are called in the model's thread.
    """

    def __init__(self, max_faults: int, on_fault: Callable[[], None], on_broken: Callable[[Failure], None]):
        self.max_faults, self.on_fault, self.on_broken = max_faults, on_fault, on_broken
        self.faults = 0
        self.is_broken = False

    def watched(self, predict: Predict) -> Predict:
        """A model's predict with its faults counted.

        A batch for which there is not enough memory is predicted in halves, which is no fault.
        """

        def watched_predict(inputs: Sequence[Any]) -> Any:
            if self.is_broken:
                raise Unavailable("the model fails, the server ends")
            try:
                rows = predict_in_parts(predict, inputs)
            except Exception as error:
                self._fault(error)
                raise
            self.faults = 0
            return rows

        return watched_predict

    def _fault(self, error: Exception) -> None:
        self.faults += 1
        self.on_fault()
        if self.faults == self.max_faults:
            self.is_broken = True
            times = f"{self.faults} batches in a row" if self.faults > 1 else "a batch"
            self.on_broken(Failure(f"the model failed on {times}; the last error: {type(error).__name__}: {error}"))


def predict_in_parts(predict: Predict, inputs: Sequence[Any]) -> Any:
    """The rows of predict, by halves where there is not enough memory for all.

    Raises:
        Unavailable: There is not enough memory for one image.
        Exception: What predict raises.
    """
    try:
        return predict(inputs)
    except MemoryError as error:
        if len(inputs) == 1:
            raise Unavailable(f"not enough memory to predict an image: {error}") from None
    # outside of the handler: the error's traceback holds what was allocated
    middle = len(inputs) // 2
    return [row for half in (inputs[:middle], inputs[middle:]) for row in predict_in_parts(predict, half)]
