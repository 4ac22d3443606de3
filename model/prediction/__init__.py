"""Prediction with saved models and ensembles; `from model.prediction import predict` is the Python API.

api: predict(), and make_predictor() for callers that predict batch by batch.
predictor: Predictor and EnsemblePredictor, from images to probabilities.
parts: an input predicted part by part, of which a later run takes over those that are finished.
backend: what computes a network; backends: those that there are, by the file they read; torch_backend: the one with
torch, imported when a model needs it.

Tested by files of other names:
    parts: tests/bulk_inference/test_parts.py
"""

from model.prediction.api import predict

__all__ = ["predict"]
