"""Prediction with saved models and ensembles; `from model.prediction import predict` is the Python API.

api: predict(), and make_predictor() for callers that predict batch by batch.
predictor: Predictor and EnsemblePredictor, from images to probabilities.
backend: what computes a network; backends: those that there are, by the file they read; torch_backend: the one with
torch, imported when a model needs it.
"""

from model.prediction.api import predict

__all__ = ["predict"]
