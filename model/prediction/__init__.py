"""Prediction with saved models and ensembles; `from model.prediction import predict` is the Python API.

api: predict(), and make_predictor() for callers that predict batch by batch.
predictor: Predictor and EnsemblePredictor, from images to probabilities.
"""

from model.prediction.api import predict

__all__ = ["predict"]
