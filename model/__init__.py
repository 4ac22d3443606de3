"""Rarebird: training, inference and evaluation of image classifiers with rare classes."""

__version__ = "0.1.0"
