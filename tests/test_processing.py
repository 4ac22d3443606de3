"""Inference and evaluation as SageMaker's processing jobs, on their tree."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pytest

import evaluation
import inference
import train
from model.errors import InputError

SMALL = ["--num_workers", "0", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def tree(faces, run_train, tmp_path, monkeypatch) -> Path:
    """A processing job's tree with images, truth and a packed model."""
    model = run_train(faces / "train", "--epochs", "0")
    base = tmp_path / "ml"
    inputs = base / "processing" / "input"
    shutil.copytree(faces / "eval", inputs / "eval")
    shutil.copytree(faces / "gt", inputs / "ground_truth")
    (inputs / "model").mkdir()
    with tarfile.open(inputs / "model" / "model.tar.gz", "w:gz") as tar:
        for path in model.iterdir():
            if path.is_file():
                tar.add(path, path.name)
    (base / "config").mkdir()
    (base / "config" / "processingjobconfig.json").write_text("{}")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    return base


def test_parts_that_sagemaker_has_dealt_out_are_answered_unless_a_table_names_them(tree):
    place = tree / "processing" / "input" / "eval"
    given = {"S3Input": {"LocalPath": str(place), "S3DataDistributionType": "ShardedByS3Key"}}
    (tree / "config" / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": [given]}))
    told = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (tree / "config" / "resourceconfig.json").write_text(json.dumps(told))
    with pytest.raises(
        InputError,
        match=r"eval is split between 2 hosts .*, but the table in this folder lists images .* use FullyReplicated",
    ):
        inference.main(SMALL)
    number = len(pd.read_csv(place / "info.csv"))
    (place / "info.csv").unlink()
    assert inference.main(SMALL) == 0
    assert len(pd.read_csv(tree / "processing" / "output" / "algo-2" / "output.csv")) == number


def test_two_hosts_predict_their_parts_and_one_job_scores(tree):
    parts = []
    for host in ("algo-1", "algo-2"):
        told = {"current_host": host, "hosts": ["algo-1", "algo-2"]}
        (tree / "config" / "resourceconfig.json").write_text(json.dumps(told))
        assert inference.main(SMALL) == 0
        parts.append(pd.read_csv(tree / "processing" / "output" / host / "output.csv"))
    asked = pd.read_csv(tree / "processing" / "input" / "eval" / "info.csv")
    assert abs(len(parts[0]) - len(parts[1])) <= 1
    assert list(parts[0]["ImageID"]) == list(asked["ImageID"][::2])
    assert list(parts[1]["ImageID"]) == list(asked["ImageID"][1::2])

    predictions = tree / "processing" / "input" / "predictions"
    predictions.mkdir()
    for host in ("algo-1", "algo-2"):
        shutil.move(tree / "processing" / "output" / host, predictions / host)
    (tree / "config" / "resourceconfig.json").unlink()
    assert evaluation.main(["--resamples", "9"]) == 0
    found = json.loads((tree / "processing" / "evaluation" / "evaluation.json").read_text())
    assert found["rarebird"]["pictures"] == len(asked) and not found["rarebird"]["unanswered"]


def test_training_on_several_hosts_needs_the_whole_channel(tmp_path, monkeypatch):
    config, channel = tmp_path / "ml" / "input" / "config", tmp_path / "ml" / "input" / "data" / "train"
    channel.mkdir(parents=True)
    config.mkdir()
    (config / "inputdataconfig.json").write_text('{"train": {"S3DistributionType": "ShardedByS3Key"}}')
    (config / "resourceconfig.json").write_text('{"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}')
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    with pytest.raises(InputError, match=r"data/train is split between 2 hosts .* use FullyReplicated"):
        train.main(["--device", "cpu"])
