"""The way from a folder to a score on real photographs, as a user goes it: each job a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PERSONS, ASKED = 240, 700


def run(script: str, *flags: str, **variables: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    ended = subprocess.run([sys.executable, script, *flags], cwd=ROOT, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


@pytest.fixture(scope="module")
def subset(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first persons of train and images of eval."""
    data, faces = tmp_path_factory.mktemp("faces"), shared / "data" / "faces"
    for person in sorted((faces / "train" / "images").iterdir())[:PERSONS]:
        shutil.copytree(person, data / "train" / "images" / person.name)
    info = pd.read_csv(faces / "eval" / "info.csv", dtype=str)[:ASKED]
    (data / "eval" / "images").mkdir(parents=True)
    (data / "gt").mkdir()
    info.to_csv(data / "eval" / "info.csv", index=False)
    for name in info["ImageID"]:
        shutil.copy(faces / "eval" / "images" / name, data / "eval" / "images" / name)
    truth = pd.read_csv(faces / "gt" / "gt.csv", dtype=str)
    truth[truth["ImageID"].isin(info["ImageID"])].to_csv(data / "gt" / "gt.csv", index=False)
    return data


def test_train_infer_with_and_without_tta_and_evaluate(shared: Path, subset: Path, tmp_path: Path):
    weights = shared / "weights" / "mobilenetv2_100.imagenet.safetensors"
    config = "configs/mask-mobilenetv2.yaml"
    flags = ["--config", config, "--weights", str(weights), "--epochs", "3", "--input_size", "96", "72"]
    trained = run("train.py", *flags, SM_CHANNEL_TRAIN=subset / "train", SM_MODEL_DIR=tmp_path / "runs")
    assert f"{PERSONS * 7:,} images" in trained.stdout or "groups by person" in trained.stdout
    scores = {}
    for script in ("inference.py", "inference_TTA.py"):
        output = tmp_path / script
        run(script, SM_CHANNEL_EVAL=subset / "eval", SM_CHANNEL_MODEL=tmp_path / "runs", SM_OUTPUT_DATA_DIR=output)
        told = run("evaluation.py", SM_GROUND_TRUTH_DIR=subset / "gt", SM_OUTPUT_DATA_DIR=output)
        scores[script] = json.loads(told.stdout)
        found = json.loads((output / "evaluation.json").read_text())["rarebird"]
        assert found["pictures"] == ASKED and found["resampled_over"] == "person"
        assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
        assert found["attributes"]["mask"]["accuracy"]["value"] > 0.9
        assert found["attributes"]["gender"]["accuracy"]["value"] > 0.7
    # 18 classes; answering the commonest alone is 0.22
    assert scores["inference.py"]["accuracy"] > 0.35
    assert scores["inference_TTA.py"]["accuracy"] > scores["inference.py"]["accuracy"] - 0.03
