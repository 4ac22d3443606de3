"""`python -m model settings`: the settings of the jobs as the tables that stand in README.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from model.faults import InputError, did_you_mean, listing
from model.flags import settings_table
from model.settings import EvaluationSettings, InferenceSettings, TrainSettings

TABLES = {"train.py": TrainSettings, "inference.py": InferenceSettings, "evaluation.py": EvaluationSettings}


def tables() -> str:
    """Markdown: a heading and a table a job."""
    return "\n".join(f"### {script}\n\n{settings_table(cls)}" for script, cls in TABLES.items())


VERBS = {"settings": tables}


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1 or argv[0] not in VERBS:
        given = " ".join(argv) or "nothing"
        raise InputError(f"{given!r}: expected one of {listing(VERBS)}{did_you_mean(given, VERBS)}")
    print(VERBS[argv[0]](), end="")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
