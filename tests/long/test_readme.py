"""The commands of README.md, as they are, without a network: draw, train, predict, evaluate, clean."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pandas as pd
import pytest

from tests.readme import blocks, scripts_folder

pytestmark = pytest.mark.long

NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def environment() -> dict[str, str]:
    """Variables of a shell in which the environment is active and there is no network."""
    return {**os.environ, **NO_NETWORK, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def shell(text: str, folder: Path) -> str:
    """Runs commands, all of which must succeed; their standard output."""
    ended = subprocess.run(
        ["bash", "-euc", text], cwd=folder, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL
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

    assert list((folder / "runs" / "people").rglob("events.out.tfevents.*"))


def test_the_loop_of_cleaning_runs(tmp_path: Path) -> None:
    folder = scripts_folder(tmp_path)
    (block,) = blocks("Look at the data and correct the labels", "sh")
    draw, report, noise, review, train, runs = block.splitlines()
    shell("\n".join([draw, report, noise]), folder)
    page = (folder / "data_report.html").read_text(encoding="utf-8")
    assert "near-duplicates" in page and "cannot be read" in page
    reviewed = accept_suggestions(review, folder, 20)
    shell(train, folder)
    metrics = json.loads((folder / "runs" / "corrected" / "metrics.json").read_text(encoding="utf-8"))
    (record,) = metrics["data"]["corrections"]
    assert record["file"] == "corrections.csv" and sum(record["relabelled"].values()) >= reviewed
    assert "corrected" in shell(runs, folder)


def accept_suggestions(command: str, folder: Path, count: int) -> int:
    """Runs the review, accepts the suggestions for the first suspects as the page does, and ends it by Ctrl-C.

    Returns:
        The number of accepted suggestions.
    """
    process = subprocess.Popen(
        ["bash", "-euc", f"exec {command}"], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = next(word for line in process.stdout for word in line.split() if "/?token=" in word)
        base, token = url.split("/?token=")
        with httpx.Client(base_url=base, headers={"X-Rarebird-Token": token}) as client:
            items = client.get("/api/session").json()["items"]
            for item in items[:count]:
                decision = {"item": item["id"], "row": None, "group": item["group"], "attribute": item["attribute"]}
                if item["level"] == "image":
                    decision["row"] = item["images"][0]
                answer = client.post(
                    "/api/decisions", json=decision | {"action": "relabel", "value": item["suggested"]}
                )
                assert answer.status_code == 200, answer.text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
    return min(count, len(items))
