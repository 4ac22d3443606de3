"""`python -m model decide` on files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.answers.seen_images import LEARNT_FROM_KEY
from model.artifacts.decision_file import write_decision
from model.artifacts.ensemble import load
from model.calibration.command import DecideSettings, main
from model.decisions import Ask, Decision
from model.errors import InputError
from model.settings.fields import Layer, build


@pytest.fixture
def model(models, tmp_path) -> Path:
    """A saved model of the attribute mask: worn, incorrect, none."""
    return Path(shutil.copytree(models / "mask", tmp_path / "mask"))


@pytest.fixture
def answers(model, make_held_out, tmp_path) -> Path:
    """Predictions for 400 images of 200 persons, with gt.csv."""
    held_out, folder = make_held_out(biases=(0, -2, -2)), tmp_path / "answers"
    folder.mkdir()
    labels = json.loads((model / "labels.json").read_text())
    (folder / "labels.json").write_text(json.dumps(labels))
    names = [f"{row}.jpg" for row in range(len(held_out))]
    probabilities = pd.DataFrame(held_out.probabilities, columns=labels["classes"])
    probabilities.insert(0, "ImageID", names)
    probabilities.to_csv(folder / "probabilities.csv", index=False, float_format="%.7g")
    pd.DataFrame({"ImageID": names, "ans": held_out.probabilities.argmax(1)}).to_csv(folder / "output.csv", index=False)
    truth = pd.DataFrame({"ImageID": names, "ans": held_out.truth, "person": held_out.groups})
    truth.to_csv(folder / "gt.csv", index=False)
    return folder


def test_biases_are_fitted_by_default_and_saved(model, answers, capsys):
    assert main([str(model), "--answers", str(answers)]) == 0
    decision = load(model).decision
    assert type(decision) is Decision and decision.biases[0] < min(decision.biases[1:])
    out = capsys.readouterr().out
    assert "macro F1" in out and "200 groups of column person" in out and "decision.json: argmax" in out


def test_a_promise_asks_a_person_by_groups(model, answers, capsys):
    assert main([str(model), "--answers", str(answers / "output.csv"), "--promise", "0.5"]) == 0
    decision = load(model).decision
    assert isinstance(decision, Ask) and decision.biases == () and decision.thresholds[0] < 1
    assert "thresholds from 200 groups" in capsys.readouterr().out
    # without the groups there are twice as many independent images
    truth = pd.read_csv(answers / "gt.csv").drop(columns="person")
    truth.to_csv(answers.parent / "truth.csv", index=False)
    flags = ["--ground_truth", str(answers.parent / "truth.csv"), "--promise", "0.5", "--dry_run", "true"]
    assert main([str(model), "--answers", str(answers), *flags]) == 0
    assert "400 images; no groups were found" in capsys.readouterr().out
    assert load(model).decision == decision


def test_biases_that_the_model_had_before_are_told(model, answers, capsys):
    write_decision(model, Decision(1.0, (0.5, 0.0, -0.5)))
    assert main([str(model), "--answers", str(answers), "--promise", "0.5"]) == 0
    assert "the model's present decision has other biases" in capsys.readouterr().out
    assert main([str(model), "--answers", str(answers)]) == 0
    assert main([str(model), "--answers", str(answers)]) == 0  # the same biases again
    assert "other biases" not in capsys.readouterr().out


def test_shares_are_read_by_class_name(model, answers, tmp_path, capsys):
    (tmp_path / "shares.yaml").write_text("{worn: 1, incorrect: 1, none: 8}")
    assert main([str(model), "--answers", str(answers), "--shares", str(tmp_path / "shares.yaml")]) == 0
    assert "accuracy at the given shares" in capsys.readouterr().out
    assert np.argmax(load(model).decision.biases) == 2


def test_other_classes_are_an_error(models, answers):
    with pytest.raises(InputError, match=r"has the classes worn, incorrect, none; .*gender has male, female"):
        main([str(models / "gender"), "--answers", str(answers), "--dry_run", "true"])


def test_images_of_the_training_are_an_error(model, answers):
    labels = json.loads((answers / "labels.json").read_text()) | {LEARNT_FROM_KEY: {"train": 3, "validation": 0}}
    (answers / "labels.json").write_text(json.dumps(labels))
    rows = pd.DataFrame({"ImageID": ["0.jpg", "1.jpg", "2.jpg"], "learnt_from": "train"})
    rows.to_csv(answers / "learnt_from.csv", index=False)
    with pytest.raises(InputError, match="3 of the images were used to train the model"):
        main([str(model), "--answers", str(answers)])
    assert load(model).decision == Decision()


def test_missing_probabilities_are_an_error(model, answers):
    (answers / "probabilities.csv").unlink()
    with pytest.raises(InputError, match=r"no probabilities\.csv"):
        main([str(model), "--answers", str(answers)])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "expected one saved model or ensemble, not 0"),
        ({"model": ["a"]}, "--answers DIR is missing"),
        ({"model": ["a"], "answers": "b", "promise": 1}, "promise must be above 0 and below 1, not 1"),
        ({"model": ["a"], "answers": "b", "shares": "c", "optimise": "f1"}, "both set the biases"),
        ({"model": ["a"], "answers": "b", "shares": "c", "promise": 0.1}, "promise and shares cannot be combined"),
    ],
)
def test_settings_that_do_not_fit(values, sentence):
    with pytest.raises(InputError, match=sentence):
        build(DecideSettings, [Layer("{}", values)])


@pytest.mark.parametrize(
    ("values", "optimise"),
    [
        ({}, "f1"),
        ({"promise": 0.1}, "none"),
        ({"shares": "c"}, "none"),
        ({"promise": 0.1, "optimise": "gmean"}, "gmean"),
    ],
)
def test_the_default_score(values, optimise):
    assert build(DecideSettings, [Layer("{}", {"model": ["a"], "answers": "b", **values})]).goal_score == optimise
