"""`python -m model SUBCOMMAND ...`: combines saved models or predictions, fits decisions, prints tables."""

from __future__ import annotations

import sys

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "ensemble": ("model.artifacts.combine", "combines saved models into one ensemble"),
    "average": ("model.training.average", "averages the weights of saved models into one model"),
    "join": ("model.answers.average", "averages the probabilities of several inference jobs into new predictions"),
    "weights": (
        "model.evaluation.ensemble_weights",
        "fits the weights of an ensemble to predictions of its members for labelled images",
    ),
    "transform": (
        "model.answers.served",
        "converts the output of a batch transform to the files that inference.py writes",
    ),
    "search-augmentation": (
        "model.training.search.command",
        "searches an augmentation for a channel within some minutes",
    ),
    "pseudo-label": (
        "model.cleaning.pseudo_labels",
        "writes a table of labelled images and of unlabelled ones that a model predicts with confidence",
    ),
    "decide": (
        "model.calibration.command",
        "fits a model's decision on held-out predictions: class biases, and when to ask a person",
    ),
    "settings": ("model.settings.readme_table", "prints the settings of all jobs as Markdown tables"),
    "aliases": (
        "model.settings.aliases",
        "prints a Markdown table of the names that other training systems use for these settings",
    ),
}

if __name__ == "__main__":
    sys.exit(run_subcommand("model", SUBCOMMANDS, sys.argv[1:]))
