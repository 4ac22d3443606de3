"""The commands of README.md, as they are, without a network: draw, train, predict, evaluate, look."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.readme import blocks, scripts_folder

pytestmark = pytest.mark.long

NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def shell(text: str, folder: Path) -> str:
    """Runs commands, all of which must succeed; their standard output."""
    env = {**os.environ, **NO_NETWORK, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "-euc", text], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0, f"{text}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def test_the_commands_run_and_learn(tmp_path: Path) -> None:
    folder = scripts_folder(tmp_path)
    class_folders, table = blocks("Train on your own images", "sh")
    shell(class_folders, folder)
    assert (folder / "runs" / "masks.validation" / "report.html").is_file()
    trained = json.loads((folder / "runs" / "masks" / "metrics.json").read_text(encoding="utf-8"))
    assert trained["validation"]["acc"] > 0.85  # 0.71 without learning: the share of the class `worn`

    shell(table, folder)
    (predict_and_evaluate,) = blocks("Predict and evaluate", "sh")
    printed = shell(predict_and_evaluate, folder)
    scores = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    assert scores["accuracy"] > 0.5 and len(pd.read_csv(folder / "output" / "output.csv")) == 1120
    assert "000301_normal.jpg" in printed and (folder / "output" / "report.html").is_file()

    (python,) = blocks("Predict and evaluate", "python")
    (folder / "example.py").write_text(python + "print(len(table), table['name'][0])\n", encoding="utf-8")
    assert shell("python example.py", folder).startswith("1 ")

    look, tensorboard = blocks("Look at the results and clean the labels", "sh")[0].splitlines()
    assert "masks" in shell(look, folder) and tensorboard.split() == ["tensorboard", "--logdir", "runs"]
    assert list((folder / "runs" / "people").rglob("events.out.tfevents.*"))
