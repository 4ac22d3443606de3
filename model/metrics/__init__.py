"""Scores of answers, and the names of the metrics of training.

scores: accuracy, F1 and others from counts; bootstrap: resamples and intervals; calibration: calibration error and
reliability; epoch_metrics: name, label, format and direction of each metric of an epoch.
"""
