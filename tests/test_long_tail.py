"""Logit adjustment in training and in the decision: one model from training to the server."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

import inference
from container.serve.app import Server
from model.artifacts.saved_model import load_model
from model.prediction import predict
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings

MACHINE = {"device": "cpu", "precision": "fp32"}
FLAGS = ["--target", "heads", "--loss", "logit_adjustment", "--sampler", "none", "--decision_args", "{tau: 0.5}"]


def test_a_model_with_logit_adjustment_answers_equally_everywhere(faces, run_train, tmp_path, caplog):
    with caplog.at_level("WARNING"):
        run = run_train(faces / "train", *FLAGS, "--batch_size", "16")
    assert "with strength 1, and decision_args does so again with tau 0.5" in caplog.text
    # the saved biases are those of the joint classes of the training images
    saved = json.loads((run / "decision.json").read_text())
    split = pd.read_csv(run / "split.csv").query("side == 'train'")
    names = list(load_model(run).scheme.class_names)
    counts = split[["mask", "gender", "age"]].agg("/".join, axis=1).value_counts().reindex(names, fill_value=0)
    shares = np.where(counts > 0, counts, counts.max()) / counts.sum()
    assert saved["biases"] == pytest.approx((-0.5 * np.log(shares)).tolist()) and saved.keys() == {
        "rule",
        "temperature",
        "biases",
    }
    # Python, inference.py and the server predict the class with the highest p / share^0.5
    pictures = sorted((faces / "eval" / "images").iterdir())
    frame = predict(run, pictures, **MACHINE)
    probabilities = frame.iloc[:, frame.columns.get_loc("error") + 1 :].to_numpy()
    adjusted = (np.log(probabilities) - 0.5 * np.log(shares)).argsort(1)[:, -1]
    assert frame["class"].tolist() == adjusted.tolist() != probabilities.argsort(1)[:, -1].tolist()
    where = ["--eval_dir", str(faces / "eval"), "--model_dir", str(run), "--output_data_dir", str(tmp_path / "out")]
    assert inference.main([*where, "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]) == 0
    answers = pd.read_csv(tmp_path / "out" / "output.csv").sort_values("ImageID")["ans"]
    assert answers.tolist() == adjusted.tolist()
    settings = build(ServeSettings, [Layer("{}", {**MACHINE, "num_workers": 0})])
    with TestClient(Server(settings, run, lambda error: pytest.fail(str(error))).app()) as client:
        while client.get("/ping").status_code != 200:
            pass
        headers = {"Content-Type": "image/png", "Accept": "application/json;verbose"}
        answer = client.post("/invocations", content=pictures[0].read_bytes(), headers=headers).json()
    assert answer["predicted_label"] == names[adjusted[0]]
