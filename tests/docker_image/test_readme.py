"""The commands of README.md's section Docker, as they are, except for the build and the name of the image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from exploration.__main__ import main as explore
from tests.docker_image.conftest import CLIENT
from tests.readme import blocks

pytestmark = pytest.mark.image


def test_the_commands_run(image: str, tmp_path: Path) -> None:
    masks = ["demo", "--layout", "folders", "--persons", "24", "--eval_persons", "12", "--size", "36", "48"]
    assert explore([*masks, "--output", str(tmp_path / "data" / "masks")]) == 0
    (text,) = blocks("Docker", "sh")
    build, *commands = text.splitlines()
    assert build.startswith("docker build -t rarebird .")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(CLIENT)
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    script = "\n".join(commands).replace(" rarebird ", f" {image} ")
    ended = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert '"accuracy"' in ended.stdout
    assert (tmp_path / "runs" / "boxed" / "model.safetensors").is_file()
    assert (tmp_path / "output" / "report.html").is_file()
