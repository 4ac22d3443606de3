"""A saved model's readable files, where nothing heavy is loaded."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_runs_are_listed_without_torch():
    script = "import sys, exploration.runs; print(sorted({'torch', 'timm', 'torchvision'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
