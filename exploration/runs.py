"""`python -m exploration runs`: lists the runs below a folder side by side."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exploration.run_records import find_runs
from exploration.runs_table import runs_frame, runs_text, sorted_runs
from model.artifacts.files import METRICS, SETTINGS
from model.atomic_write import write_beside
from model.errors import InputError, did_you_mean
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m exploration runs [DIR] [--FLAG VALUE ...]

Lists the runs below a folder, finished and unfinished: the settings in which they differ, the scores on the validation
images, and those of the evaluation.json that lies in a run's folder or below it (or above it, where the run is alone
there), each with its interval. Runs on different data have tables of their own."""


@dataclass(frozen=True)
class RunsSettings:
    dir: str = setting("runs", "folder with the runs", section="What is listed", positional=True)
    sort: str = setting(
        "f1",
        "order: the best macro F1 or accuracy on the validation images first, the newest first, or by name",
        choices=("f1", "accuracy", "date", "name"),
    )
    output: str | None = setting(None, "file to write the list into as well, as CSV with every value in full")


def main(argv: Sequence[str]) -> int:
    settings = from_flags(RunsSettings, argv, USAGE)
    root = Path(settings.dir)
    if not root.is_dir():
        beside = [entry.name for entry in root.parent.iterdir()] if root.parent.is_dir() else []
        raise InputError(f"{root}: there is no such folder{did_you_mean(root.name, beside)}")
    runs, errors = find_runs(root)
    for error in errors:
        print(f"left out: {error}", file=sys.stderr)
    if not runs:
        raise InputError(f"no run lies in {root}: a run's folder holds {SETTINGS} and {METRICS}, or checkpoints")
    runs = sorted_runs(runs, settings.sort)
    print(runs_text(runs, root, shutil.get_terminal_size((120, 40)).columns))
    if settings.output:
        with write_beside(Path(settings.output)) as path:
            runs_frame(runs, root).to_csv(path, index=False)
        print(f"\nwrote {settings.output}")
    return 0
