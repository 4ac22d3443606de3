"""The root folder of the project, which contains the job scripts and the packages."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_ROOT = Path(os.path.realpath(__file__)).parents[1]
