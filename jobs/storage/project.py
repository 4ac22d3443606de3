"""jobs/storage/project.py."""

from __future__ import annotations

import os
from pathlib import Path


def script_folder() -> Path:
    """Where the jobs' scripts lie."""
    return Path(os.path.realpath(__file__)).parents[2]
