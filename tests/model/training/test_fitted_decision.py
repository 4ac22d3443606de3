"""The decision that a training fits on its held-out predictions."""

from __future__ import annotations

import json
import logging

import pandas as pd
import pytest

import train
from model.artifacts.ensemble import load
from model.decisions import Ask, Decision
from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings

SMALL = ["--model", "test_resnet", "--pretrained", "false", "--input_size", "32", "24", "--batch_size", "32"]
SMALL += ["--tracking", "none", "--thumbnails", "none", "--num_workers", "0", "--device", "cpu", "--precision", "fp32"]


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (["--validation", "0.5", "--promise", "0.3"], Ask),
        (["--folds", "2", "--best_criterion", "gmean"], Decision),
        (["--validation", "0.5", "--target", "separate", "--promise", "0.3"], Ask),
    ],
)
def test_it_is_saved_with_the_model_and_held_out_predictions_keep_the_default(faces, tmp_path, caplog, flags, kind):
    caplog.set_level(logging.INFO, "rarebird")
    where = [
        "--train_dir",
        str(faces / "train"),
        "--model_dir",
        str(tmp_path),
        "--output_data_dir",
        str(tmp_path / "o"),
    ]
    assert train.main([*SMALL, *where, "--epochs", "1", "--fit_decision", "true", *flags]) == 0
    saved = load(tmp_path / "exp")
    assert type(saved.decision) is kind
    assert "held-out images" in caplog.text and f"decision.json of {tmp_path / 'exp'}: {kind.rule}" in caplog.text
    assert "another model" not in caplog.text
    if kind is Ask:
        # few persons: nothing is promised, and the message says how many it needs
        assert saved.decision.promise == 0.3 and saved.decision.biases == ()
        assert saved.decision.views == 1
        assert "needs at least 9 groups" in caplog.text
    else:
        assert "geometric mean of F1" in caplog.text and saved.decision.temperature != 1
    folder = next((tmp_path / "o" / "exp").glob("*/output.csv")).parent
    assert "ask_person" not in pd.read_csv(folder / "predictions.csv")
    answers = pd.read_csv(folder / "output.csv")["ans"]
    assert answers.tolist() == pd.read_csv(folder / "probabilities.csv").iloc[:, 1:].to_numpy().argmax(1).tolist()


def test_off_by_default(models):
    content = json.loads((models / "a" / "decision.json").read_text())
    assert content == {"rule": "argmax", "temperature": 1.0, "biases": []}


def test_without_held_out_images_there_is_a_warning(faces, tmp_path, caplog):
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path), "--validation", "0"]
    assert train.main([*SMALL, *where, "--epochs", "0", "--fit_decision", "true"]) == 0
    assert "the decision is not fitted: there are no validation images" in caplog.text
    assert load(tmp_path / "exp").decision == Decision()


def test_too_few_groups_are_a_warning(faces, tmp_path, caplog):
    where = ["--train_dir", str(faces / "train"), "--model_dir", str(tmp_path), "--validation", "0.1"]
    assert train.main([*SMALL, *where, "--epochs", "0", "--fit_decision", "true"]) == 0
    assert "the decision could not be fitted: a decision needs held-out predictions of at least 10" in caplog.text


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"promise": 0.1}, "promise is used only with fit_decision true"),
        ({"promise": 0, "fit_decision": True}, "promise must be above 0 and below 1"),
        ({"fit_decision": True, "decision_args": {"temperature": 2}}, "do not set decision or decision_args"),
        ({"fit_decision": True, "decision": "ask"}, "do not set decision or decision_args"),
        ({"fit_decision": True, "report": False}, "fit_decision needs report true"),
    ],
)
def test_settings_that_do_not_fit(values, sentence):
    with pytest.raises(InputError, match=sentence):
        build(TrainSettings, [Layer("{}", values)])
