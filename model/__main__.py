"""`python -m model SUBCOMMAND ...`: combines saved models or predictions, prints tables of settings and aliases."""

from __future__ import annotations

import sys

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "ensemble": ("model.artifacts.combine", "combines saved models into one ensemble"),
    "join": ("model.answers.average", "averages the probabilities of earlier inference jobs into new predictions"),
    "transform": ("model.answers.served", "converts the output of a batch transform to the files of inference"),
    "settings": ("model.settings.readme_table", "prints the settings of all jobs as Markdown tables"),
    "aliases": ("model.settings.aliases", "prints the settings' names in other systems as a Markdown table"),
}

if __name__ == "__main__":
    sys.exit(run_subcommand("model", SUBCOMMANDS, sys.argv[1:]))
