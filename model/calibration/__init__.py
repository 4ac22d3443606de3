"""Fits the decision of a model on predictions for images that it was not trained on: a temperature, class biases, a
correction for other class shares, and when to ask a person. docs/decisions.md describes the methods.
"""
