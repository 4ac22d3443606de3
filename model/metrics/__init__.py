"""Scores of predictions, and the metrics of training.

scores: accuracy, F1 and others from counts; bootstrap: resamples and intervals of means; proportions: intervals of
accuracy and of a class's recall, precision and F1; calibration: calibration error and reliability; confident: confident
learning; finite_population: intervals of totals from a sample of groups; epoch_metrics: name, label, format and
direction of each metric of an epoch.
"""
