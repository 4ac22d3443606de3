"""`python -m exploration SUBCOMMAND ...`: tools for data, runs and scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.subcommands import run_subcommand

SUBCOMMANDS = {
    "demo": ("exploration.demo", "Draw images of invented faces to try the jobs with."),
    "report": ("exploration.report", "Write a page about images and labels: counts, samples, duplicates, leaks, map."),
    "embed": ("exploration.embed", "Compute the features of a channel's images, once, for all commands that use them."),
    "noise": ("exploration.noise", "Find labels that are probably wrong, and write them to suspects.csv."),
    "audit": ("exploration.audit", "Draw a random sample to review, and estimate how many labels are wrong or unseen."),
    "review": ("exploration.review.review", "Review labels on a page in the browser; decisions go to corrections.csv."),
    "errors": ("exploration.review.errors", "Browse wrong predictions on the review page, with heat maps."),
    "export": ("exploration.export.export", "Write corrected labels as a CSV, or for other tools to import."),
    "crop": ("exploration.crop.command", "Crop the images of a channel to their subject, such as the face."),
    "stitch": ("exploration.stitch", "Make one image of three or four channels of several files of each id."),
    "runs": ("exploration.runs", "List the trained models, the settings that differ between them, and their scores."),
    "scores": ("exploration.scores", "Print the scores in an evaluation.json as a small table."),
}


# The loop: look, find wrong labels, review them, train again
EXAMPLES = (
    "report data/train                            # 1. look at the images and labels",
    "noise data/train                             # 2. find labels that are probably wrong",
    "audit data/train 100                         # 3. draw a random sample",
    "review data/train --audit audit.csv          # 4. review the sample",
    "review data/train --suspects suspects.csv    # 5. review the suspects",
    "audit data/train --sample audit.csv --corrections corrections.csv     # 6. how many wrong labels are left?",
    "export data/train --corrections corrections.csv --output clean.csv    # 7. or train.py --corrections ...",
)


def main(argv: Sequence[str]) -> int:
    """The exit code of a subcommand."""
    return run_subcommand("exploration", SUBCOMMANDS, argv, EXAMPLES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
