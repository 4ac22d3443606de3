"""From a saved model and pictures to probabilities."""

from model.prediction.api import predict

__all__ = ["predict"]
