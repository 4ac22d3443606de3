"""Pauses Python's garbage collector until container.job_script.run; the scripts that load torch import this first.

The collector would go through the objects of the imports again and again, a sixth of the imports' time, and free none.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from container.project_root import PROJECT_ROOT


def is_script(file: str | None) -> bool:
    """Whether the process's main file is one of our scripts, so that no other program loses its collector."""
    return file is not None and Path(file).resolve().parent == PROJECT_ROOT


if is_script(getattr(sys.modules["__main__"], "__file__", None)):
    gc.disable()
