"""The content of evaluation.json."""

import numpy as np
import pytest
import sklearn.metrics as reference

import evaluation
from model.attributes import Attribute
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme
from tests.test_evaluation import KOREAN, made, run, surroundings, written  # noqa: F401

SCORES = ("accuracy", "macro_f1", "gmean_f1", "balanced_accuracy", "macro_precision", "macro_recall")


def test_the_block_of_sagemaker(tmp_path):
    truth, answers = made(tmp_path, KOREAN)
    run()
    metrics = written()["multiclass_classification_metrics"]
    matrix = reference.confusion_matrix(truth, answers, labels=range(3))
    names = KOREAN.class_names
    assert metrics.pop("confusion_matrix") == {
        actual: {predicted: int(matrix[i, j]) for j, predicted in enumerate(names)} for i, actual in enumerate(names)
    }
    constant = np.full_like(truth, np.bincount(truth).argmax())
    weighted = {"labels": range(3), "average": "weighted", "zero_division": 0}
    for suffix, given in (("", answers), ("_best_constant_classifier", constant)):
        expected = {
            "accuracy": reference.accuracy_score(truth, given),
            "weighted_recall": reference.recall_score(truth, given, **weighted),
            "weighted_precision": reference.precision_score(truth, given, **weighted),
            **{
                f"weighted_f{text}": reference.fbeta_score(truth, given, beta=beta, **weighted)
                for text, beta in (("0_5", 0.5), ("1", 1), ("2", 2))
            },
        }
        for name, value in expected.items():
            found = metrics.pop(name + suffix)
            assert found.keys() == {"value", "standard_deviation"}
            assert found["value"] == pytest.approx(value)
            assert 0 < found["standard_deviation"] < 0.2
    assert metrics == {}


def test_the_block_of_rarebird(tmp_path):
    truth, answers = made(tmp_path, KOREAN)
    run()
    block = written()["rarebird"]
    for name in (*SCORES, "calibration_error"):
        assert block[name].keys() == {"value", "low", "high"}
        if name != "gmean_f1":  # 0 in every resample, as a class without truth is never right
            assert block[name]["low"] < block[name]["value"] < block[name]["high"]
    assert block["gmean_f1"] == {"value": 0, "low": None, "high": None}
    assert any(note.startswith("no interval for geometric mean of F1: it is 0") for note in block["notes"])
    recall = reference.recall_score(truth, answers, labels=range(2), average=None)
    assert block["balanced_accuracy"]["value"] == pytest.approx(recall.mean())
    assert list(block["per_class"]) == KOREAN.class_names
    assert block["per_class"]["착용샷"]["support"] == (truth == 0).sum()
    assert block["per_class"]["착용샷"]["recall"]["value"] == pytest.approx(recall[0])
    assert block["classes_without_truth"] == ["top"]
    assert block["unanswered"] == (answers == -1).sum() > 0
    assert (block["pictures"], block["groups"], block["resampled_over"]) == (90, 30, "person")
    assert block["left_out"] == 0 and block["compare"] is None and block["attributes"] == {}
    assert "착용샷" in (tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8")


def test_of_many_classes_the_matrix_of_sagemaker_has_no_cells_of_0():
    names = tuple(f"kind{code}" for code in range(1001))
    truth, answers = np.array([0, 0, 7, 1000]), np.array([0, 7, -1, 1000])
    for count, cells in ((1001, 3), (1000, 1000**2)):
        scheme = Scheme((Attribute("variety", names[:count]),))
        matched = MatchedAnswers(scheme, list("abcd"), truth.clip(max=count - 1), answers.clip(max=count - 1))
        matrix = evaluation.model_monitor(evaluate(matched, resamples=0))["confusion_matrix"]
        assert sum(map(len, matrix.values())) == cells
        assert matrix["kind0"]["kind7"] == 1 and matrix["kind0"]["kind0"] == 1
