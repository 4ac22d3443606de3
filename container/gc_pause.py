"""Pauses Python's garbage collector until container.job_script.run. Scripts that load torch import this module first.

During the imports the collector would repeatedly scan the new objects, a sixth of the time, and free none of them.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from container.project_root import PROJECT_ROOT


def is_script(file: str | None) -> bool:
    """Whether a main file is one of the job scripts. Other programs keep their garbage collector."""
    return file is not None and Path(file).resolve().parent == PROJECT_ROOT


if is_script(getattr(sys.modules["__main__"], "__file__", None)):
    gc.disable()
