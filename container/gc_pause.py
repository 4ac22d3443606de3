"""Imported before all else by the scripts that load torch: garbage is not collected until container.job.run, for the
collector looks through the imports' objects again and again, a sixth of their time, and all of them stay."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from container.project import PROJECT_ROOT


def is_script(file: str | None) -> bool:
    """Whether the process's main file is a script of ours, so that nobody else wants the collector."""
    return file is not None and Path(file).resolve().parent == PROJECT_ROOT


if is_script(getattr(sys.modules["__main__"], "__file__", None)):
    gc.disable()
