"""The garbage collector is paused while job scripts import, and nowhere else."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import container.gc_pause
from container.gc_pause import is_script
from container.project_root import PROJECT_ROOT


def test_only_job_scripts_count():
    assert is_script(str(PROJECT_ROOT / "train.py"))
    assert not is_script(None) and not is_script("/usr/bin/pytest") and not is_script(container.gc_pause.__file__)


def test_the_collector_is_paused_only_in_job_scripts(tmp_path: Path):
    body = "import container.gc_pause, gc; print(gc.isenabled())"
    (tmp_path / "container").symlink_to(PROJECT_ROOT / "container")
    (tmp_path / "train.py").write_text(body)
    shown = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout == "True\n"  # train.py of another folder
    main = f"import sys; sys.modules['__main__'].__file__ = {str(PROJECT_ROOT / 'train.py')!r}; {body}"
    shown = subprocess.run([sys.executable, "-c", main], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n" and gc.isenabled()
