"""`python -m exploration runs`: lists the runs below a folder side by side."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exploration.channels import require_folder
from model.artifacts.files import METRICS, SETTINGS
from model.atomic_write import write_beside
from model.errors import InputError
from model.settings.cli import from_flags
from model.settings.fields import setting

USAGE = """python -m exploration runs [DIR] [--FLAG VALUE ...]

Lists all runs in a folder, finished or not: the settings that differ, the scores on the validation images, and the
scores in evaluation.json, with intervals. evaluation.json is searched for in and below the folder of a run, and in the
folder above if it contains only this run. Runs are grouped by data: scores on different data cannot be compared."""


@dataclass(frozen=True)
class RunsSettings:
    dir: str = setting("runs", "folder that contains the runs", section="List", positional=True)
    sort: str = setting(
        "f1",
        "order: f1 and accuracy list the best score on the validation images first, date the newest run, name by name",
        choices=("f1", "accuracy", "date", "name"),
    )
    output: str | None = setting(None, "CSV file to write the list to, with all values in full")


def main(argv: Sequence[str]) -> int:
    settings = from_flags(RunsSettings, argv, USAGE)
    from exploration.run_records import find_runs
    from exploration.runs_table import runs_frame, runs_text, sorted_runs

    root = Path(settings.dir)
    require_folder(root)
    runs, errors = find_runs(root)
    for error in errors:
        print(f"skipped: {error}", file=sys.stderr)
    if not runs:
        raise InputError(f"{root}: contains no run; a run has {SETTINGS} and {METRICS}, or checkpoints")
    runs = sorted_runs(runs, settings.sort)
    print(runs_text(runs, root, shutil.get_terminal_size((120, 40)).columns))
    if settings.output:
        with write_beside(Path(settings.output)) as path:
            runs_frame(runs, root).to_csv(path, index=False)
        print(f"\nwrote {settings.output}")
    return 0
