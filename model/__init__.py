"""Rarebird: training, inference and evaluation of image classifiers where classes are rare."""

__version__ = "0.1.0"
