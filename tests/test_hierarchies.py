"""A hierarchy of 3 x 50 x 500 values, from training to the report. Few of its 75,000 combinations occur."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

import evaluation
import inference
from model.artifacts.ensemble import load
from model.labels import Scheme

NAMES = ("aisle", "product", "variety")


def macro_f1(truth: pd.DataFrame, answers: pd.DataFrame) -> dict[str, float]:
    """Macro F1 of each attribute over the values in truth. Both arguments: text, one column per attribute."""
    return {
        name: f1_score(truth[name], answers[name], labels=truth[name].unique(), average="macro", zero_division=0)
        for name in NAMES
    }


def attributes_of(names: pd.Series) -> pd.DataFrame:
    """Splits names of joint classes into values, one column per attribute."""
    return names.str.split("/", expand=True).set_axis(list(NAMES), axis=1)


@pytest.fixture
def run_hierarchy(hierarchy, run_train):
    """Trains on the hierarchy; returns the folder of the run."""

    def run(*flags: str, **others: Any) -> Path:
        return run_train(hierarchy / "train", "--config", str(hierarchy / "scheme.yaml"), *flags, **others)

    return run


def predict_and_evaluate(hierarchy: Path, model: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """Predicts the images of eval and evaluates; returns the line on stdout."""
    where = ["--eval_dir", str(hierarchy / "eval"), "--model_dir", str(model), "--output_data_dir", str(output)]
    assert inference.main([*where, "--device", "cpu", "--precision", "fp32", "--num_workers", "0"]) == 0
    where = ["--ground_truth_dir", str(hierarchy / "gt"), "--output_data_dir", str(output)]
    capsys.readouterr()
    assert evaluation.main([*where, "--pictures", str(hierarchy / "eval"), "--resamples", "100"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("target", ["heads", "joint"])
def test_a_hierarchy_is_trained_predicted_and_evaluated(target, hierarchy, run_hierarchy, tmp_path, capsys):
    model, output = run_hierarchy("--target", target), tmp_path / "output"
    trained = pd.read_csv(hierarchy / "train" / "train.csv")
    occurring = trained[list(NAMES)].drop_duplicates()
    line = predict_and_evaluate(hierarchy, model, output, capsys)

    # the classes are the combinations that occur, in every file
    labels = json.loads((output / "labels.json").read_text())
    assert labels["classes"] == Scheme.from_dict(labels).class_names and len(labels["classes"]) == len(occurring)
    assert set(labels["classes"]) == set(occurring.agg("/".join, axis=1))
    probabilities = pd.read_csv(output / "probabilities.csv", index_col=0)
    assert list(probabilities.columns) == labels["classes"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    answers = pd.read_csv(output / "output.csv")["ans"]
    assert (answers.to_numpy() == probabilities.to_numpy().argmax(axis=1)).all()

    # the score is the mean over the attributes, by scikit-learn; combinations unknown to the model count as wrong
    truth = pd.read_csv(hierarchy / "gt" / "gt.csv")["ans"]
    answered = pd.Series(np.array(labels["classes"])[answers])
    expected = macro_f1(attributes_of(truth), attributes_of(answered))
    saved = json.loads((output / "evaluation.json").read_text())
    scores = saved["rarebird"]
    assert {name: scores["attributes"][name]["macro_f1"]["value"] for name in NAMES} == pytest.approx(expected)
    assert scores["macro_f1"]["value"] == pytest.approx(np.mean(list(expected.values())))
    assert line["f1"] == pytest.approx(scores["macro_f1"]["value"], abs=1e-4)
    assert scores["accuracy"]["value"] == pytest.approx((truth.to_numpy() == answered.to_numpy()).mean())
    unknown = sorted(set(truth) - set(labels["classes"]))
    assert len(unknown) > 20 and any(f"cannot predict: {len(unknown)}" in note for note in scores["notes"])
    assert all(scores["per_class"][name]["recall"]["value"] == 0 for name in unknown)

    # the files contain only classes that occur
    assert set(scores["per_class"]) == set(truth) | set(answered)
    matrix = saved["multiclass_classification_metrics"]["confusion_matrix"]
    assert matrix == {name: rows.value_counts().to_dict() for name, rows in answered.groupby(truth, sort=False)}
    assert (output / "evaluation.json").stat().st_size < 1_000_000
    page = (output / "report.html").read_text().replace("<wbr>", "")
    assert " of 75,000 combinations: aisle (3)" in page and "mean of the attribute scores" in page
    assert unknown[0] in page and len(page) < 3_000_000


def test_weights_are_selected_by_the_mean_over_attributes_and_each_is_logged(hierarchy, run_hierarchy, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        model = run_hierarchy("--target", "heads", "--epochs", "2")
    metrics = json.loads((model / "metrics.json").read_text())
    best, history = metrics["validation"], metrics["history"]
    assert best["f1"] == pytest.approx(np.mean([scores["f1"] for scores in best["attributes"].values()]))
    assert best["f1"] == max(entry["val_f1"] for entry in history) > 5 * best["attributes"]["variety"]["f1"]
    assert best["intervals"]["f1"][0] <= best["f1"] <= best["intervals"]["f1"][1]
    lines = [line for line in caplog.messages if line.startswith("epoch=")]
    for line, entry in zip(lines, history, strict=True):
        assert f"val_f1={entry['val_f1']:.4f};" in line
        f1_by_attribute = {name: float(re.search(rf" val_f1_{name}=([0-9.]+);", line)[1]) for name in NAMES}
        assert np.mean(list(f1_by_attribute.values())) == pytest.approx(entry["val_f1"], abs=1e-4)
    assert "combinations of aisle, product, variety occur in the data" in caplog.text
    assert "mean of the attribute scores" in caplog.text
    card = (model / "README.md").read_text()
    assert "mean of the attribute scores" in card and f"{best['attributes']['product']['accuracy']:.4f}" in card


def test_folds_of_separate_models_give_out_of_fold_predictions(hierarchy, run_hierarchy, capsys, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        model = run_hierarchy("--target", "separate", "--folds", "2")
    classes = load(model).scheme.num_classes
    assert classes == len(pd.read_csv(hierarchy / "train" / "train.csv")[list(NAMES)].drop_duplicates())
    folder = model / "out_of_fold"
    probabilities = pd.read_csv(folder / "probabilities.csv", index_col=0)
    assert len(probabilities.columns) == classes
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    capsys.readouterr()
    flags = ["--ground_truth_dir", str(folder), "--output_data_dir", str(folder), "--resamples", "0"]
    assert evaluation.main(flags) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["f1"] > 0 and f"out of fold accuracy={line['accuracy']:.4f}; f1={line['f1']:.4f};" in caplog.text


def test_a_validation_channel_may_have_combinations_that_train_lacks(hierarchy, run_hierarchy, caplog):
    with caplog.at_level(logging.INFO, "rarebird"):
        model = run_hierarchy("--target", "joint", "--validation_dir", str(hierarchy / "validation"))
    both = [pd.read_csv(hierarchy / side / f"{side}.csv")[list(NAMES)] for side in ("train", "validation")]
    labels = json.loads((model / "labels.json").read_text())
    assert set(labels["classes"]) == set(pd.concat(both).agg("/".join, axis=1))
    lacking = len(set(both[1].agg("/".join, axis=1)) - set(both[0].agg("/".join, axis=1)))
    assert f"{lacking} of them occur only in the validation channel" in caplog.text


def test_a_single_attribute_is_evaluated_with_joint_true_labels(hierarchy, run_hierarchy, tmp_path, capsys):
    """The true labels have combinations that the channel lacks."""
    model, output = run_hierarchy("--target", "product"), tmp_path / "output"
    line = predict_and_evaluate(hierarchy, model, output, capsys)
    truth = attributes_of(pd.read_csv(hierarchy / "gt" / "gt.csv")["ans"])["product"]
    answered = pd.Series(json.loads((output / "labels.json").read_text())["classes"])[
        pd.read_csv(output / "output.csv")["ans"]
    ]
    assert line["accuracy"] == pytest.approx((truth.to_numpy() == answered.to_numpy()).mean(), abs=1e-4)
