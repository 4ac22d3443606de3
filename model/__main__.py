"""`python -m model SUBCOMMAND ...`: work on saved models and answers; tables of settings and aliases."""

from __future__ import annotations

import sys

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "ensemble": ("model.artifacts.combine", "several saved models into one that answers for them together"),
    "join": ("model.answers.average", "averages probabilities of earlier inferences into new answers"),
    "transform": ("model.answers.served", "the answers of a batch transform as those of inference"),
    "settings": ("model.settings.readme_table", "prints the settings of the jobs as the tables of README.md"),
    "aliases": ("model.settings.aliases", "prints the words of other systems as the table of docs/coming-from.md"),
}

if __name__ == "__main__":
    sys.exit(run_subcommand("model", SUBCOMMANDS, sys.argv[1:]))
