"""ModelHealth: detects models that fail again and again. After one CUDA error, every batch of the process fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from container.serve.errors import Unavailable
from model.errors import Failure

Predict = Callable[[Sequence[Any]], Any]  # the inputs of N images -> their N predictions


class ModelHealth:
    """Counts failed batches in a row. A successful batch resets the count.

    Args:
        max_faults: Number of failed batches in a row after which the models are broken; 0: never.
        on_fault: Called after each failed batch, in the model's thread.
        on_broken: Called once with the reason when the models are broken, in the model's thread.
    """

    def __init__(self, max_faults: int, on_fault: Callable[[], None], on_broken: Callable[[Failure], None]):
        self.max_faults, self.on_fault, self.on_broken = max_faults, on_fault, on_broken
        self.faults = 0
        self.is_broken = False

    def watched(self, predict: Predict) -> Predict:
        """Wraps a model's predict to count its failed batches.

        A batch that does not fit into memory is predicted in halves and does not count as failed.
        """

        def watched_predict(inputs: Sequence[Any]) -> Any:
            if self.is_broken:
                raise Unavailable("the model fails; the server is shutting down")
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
            self.on_broken(Failure(f"the model failed on {times}; last error: {type(error).__name__}: {error}"))


def predict_in_parts(predict: Predict, inputs: Sequence[Any]) -> Any:
    """Calls predict, with half of the images at a time if all of them do not fit into memory.

    Args:
        predict: Predicts the inputs of any number of images.
        inputs: The inputs of N images.

    Returns:
        N predictions.

    Raises:
        Unavailable: There is not enough memory for one image.
        Exception: Any other exception of predict.
    """
    try:
        return predict(inputs)
    except MemoryError as error:
        if len(inputs) == 1:
            raise Unavailable(f"not enough memory to predict an image: {error}") from None
    # not in the except block, where the traceback keeps the failed call's memory alive
    middle = len(inputs) // 2
    return [row for half in (inputs[:middle], inputs[middle:]) for row in predict_in_parts(predict, half)]
