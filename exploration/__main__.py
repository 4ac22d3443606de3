"""`python -m exploration SUBCOMMAND ...`: looking at data, runs and scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "demo": ("exploration.demo", "draws images of invented faces, for trying out the jobs"),
    "runs": (
        "exploration.runs",
        "lists the runs: settings that differ between them, scores and confidence intervals",
    ),
    "scores": ("exploration.scores", "prints the scores in an evaluation.json as a small table"),
}


def main(argv: Sequence[str]) -> int:
    """The exit code of a subcommand."""
    return run_subcommand("exploration", SUBCOMMANDS, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
