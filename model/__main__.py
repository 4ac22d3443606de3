"""`python -m model SUBCOMMAND ...`: combines saved models or predictions, fits decisions, prints tables."""

from __future__ import annotations

import sys

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "ensemble": ("model.artifacts.combine", "combines saved models into one ensemble"),
    "join": ("model.answers.average", "averages the probabilities of several inference jobs into new predictions"),
    "transform": (
        "model.answers.served",
        "converts the output of a batch transform to the files that inference.py writes",
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
