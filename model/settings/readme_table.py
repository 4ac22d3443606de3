"""`python -m model settings`: prints the settings of the jobs as the tables of docs/settings.md."""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import InputError
from model.settings.cli import settings_table
from model.settings.evaluation import EvaluationSettings
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings

TABLES = {"train.py": TrainSettings, "inference.py": InferenceSettings, "evaluation.py": EvaluationSettings}


def tables() -> str:
    """Markdown with a heading and a table for each job."""
    return "\n".join(f"### {script}\n\n{settings_table(cls)}" for script, cls in TABLES.items())


def main(argv: Sequence[str]) -> int:
    """Prints the tables and returns the exit code."""
    if argv:
        raise InputError(f"settings takes no arguments, not {' '.join(argv)}")
    print(tables(), end="")
    return 0
