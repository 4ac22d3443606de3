"""Trackers, which report the progress of a training run.

base: the Tracker interface and the results of an epoch; trackers: several trackers as one; console: lines or a table in
the log; tensorboard, weights_and_biases: curves and figures; figures: confusion matrix and worst mistakes.
"""
