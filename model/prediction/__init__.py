"""Prediction with saved models and ensembles. rarebird.py is the Python API; `predict` can be imported from here too.

api: Model, predict(), and make_predictor() for callers that predict batch by batch. frames: DataFrames as files.
predictor: Predictor and EnsemblePredictor, from images to probabilities.
parts: an input that is predicted part by part; a later run reuses finished parts.
backend: base class of what computes a network. backends: all of them by the file that they read. torch_backend: the one
that uses torch, imported when a model needs it.

Tested by files of other names:
    parts: tests/bulk_inference/test_parts.py
"""

from model.prediction.api import predict

__all__ = ["predict"]
