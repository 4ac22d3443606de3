import subprocess
import sys
from pathlib import Path

from container.project_root import PROJECT_ROOT


def test_the_root_is_the_folder_of_the_packages_even_through_a_link(tmp_path: Path):
    assert Path(__file__).resolve().parents[2] == PROJECT_ROOT and (PROJECT_ROOT / "pyproject.toml").is_file()
    (tmp_path / "container").symlink_to(PROJECT_ROOT / "container")
    command = [sys.executable, "-c", "from container.project_root import PROJECT_ROOT; print(PROJECT_ROOT)"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(PROJECT_ROOT)
